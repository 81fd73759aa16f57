import {
  checkLinearRecurrence,
  checkLinearRecurrenceBackward,
  type LinearRecurrenceDims,
  type LinearRecurrenceInputs,
  type Tensor,
} from '@mamba-ts/backend';
import type { Gpu } from '../gpu.js';
import type { Loan } from '../pool.js';
import { type Chunks, chunksOf } from './chunks.js';

/** One rounding more or less apart, both `algorithm`s are the chunked scan. */
export function linearRecurrence(gpu: Gpu, inputs: LinearRecurrenceInputs): { h: Tensor; lastState: Tensor } {
  const dims = checkLinearRecurrence(inputs);
  const { batch, length, channels } = dims;
  const h = gpu.make([batch, length, channels], 'f32', 'states');
  const lastState = gpu.make([batch, channels], 'f32', 'last state');
  const start = gpu.flat(inputs.initialState);
  const call: Call = {
    dims,
    chunks: chunksOf(gpu, dims),
    a: gpu.flat(inputs.a),
    b: gpu.flat(inputs.b),
    carry: undefined,
  };
  if (call.chunks.count > 1) {
    call.carry = gpu.make([batch, call.chunks.count, channels, 2], 'f32', 'chunk states').loan;
    phase(gpu, call, 0, {});
    phase(gpu, call, 1, { start, last: lastState.loan });
  }
  phase(gpu, call, 2, { start, y: h.loan, last: lastState.loan });
  return { h, lastState };
}

export function linearRecurrenceBackward(
  gpu: Gpu,
  inputs: LinearRecurrenceInputs,
  grads: { dh: Tensor; dLastState?: Tensor | undefined },
): { da: Tensor; db: Tensor; dInitialState?: Tensor } {
  const dims = checkLinearRecurrenceBackward(inputs, grads);
  const { batch, length, channels } = dims;
  const { h } = linearRecurrence(gpu, inputs);
  const da = gpu.make([batch, length, channels], 'f32', 'gradient of a');
  const db = gpu.make([batch, length, channels], 'f32', 'gradient of b');
  const dInitialState = gpu.make([batch, channels], 'f32', 'gradient of the initial state');
  const chunks = chunksOf(gpu, dims);
  const carry = gpu.make([batch, chunks.count, channels, 2], 'f32', 'chunk gradients').loan;
  const call: Call = { dims, chunks, a: gpu.flat(inputs.a), b: gpu.flat(grads.dh), carry };
  phase(gpu, call, 0, { reverse: true });
  phase(gpu, call, 1, { reverse: true, start: gpu.flat(grads.dLastState), last: dInitialState.loan });
  phase(gpu, call, 2, {
    reverse: true,
    start: gpu.flat(inputs.initialState),
    y: db.loan,
    h: gpu.flat(h),
    da: da.loan,
  });
  return inputs.initialState ? { da, db, dInitialState } : { da, db };
}

interface Call {
  dims: LinearRecurrenceDims;
  chunks: Chunks;
  a: Loan;
  b: Loan;
  /** Absent with one chunk. */
  carry: Loan | undefined;
}

interface Phase {
  reverse?: boolean;
  start?: Loan | undefined;
  y?: Loan;
  last?: Loan;
  h?: Loan;
  da?: Loan;
}

function phase(
  gpu: Gpu,
  { dims: { batch, length, channels }, chunks, a, b, carry }: Call,
  number: 0 | 1 | 2,
  { reverse = false, start, y, last, h, da }: Phase,
): void {
  gpu.engine.run('linear-recurrence', {
    constants: {
      PHASE: number,
      REVERSE: reverse,
      HAS_STATE: start !== undefined,
      CHUNKED: carry !== undefined,
    },
    bind: [a, b, start, carry, y, last, h, da],
    params: [batch, length, channels, chunks.length, chunks.count],
    groups: [Math.ceil(channels / 64), number === 1 ? 1 : chunks.count, batch],
  });
}
