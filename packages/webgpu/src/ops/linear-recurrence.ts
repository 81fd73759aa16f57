import {
  checkLinearRecurrence,
  checkLinearRecurrenceBackward,
  type LinearRecurrenceDims,
  type LinearRecurrenceInputs,
  type Tensor,
} from '@mamba-ts/backend';
import type { Gpu } from '../gpu.js';

/** Both `algorithm`s are the sequential one. */
export function linearRecurrence(gpu: Gpu, inputs: LinearRecurrenceInputs): { h: Tensor; lastState: Tensor } {
  const dims = checkLinearRecurrence(inputs);
  const h = gpu.make(inputs.b.shape);
  const lastState = gpu.make([dims.batch, dims.channels]);
  run(gpu, inputs, dims, { b: inputs.b, y: h, end: lastState });
  return { h, lastState };
}

export function linearRecurrenceBackward(
  gpu: Gpu,
  inputs: LinearRecurrenceInputs,
  grads: { dh: Tensor; dLastState?: Tensor | undefined },
): { da: Tensor; db: Tensor; dInitialState?: Tensor } {
  const dims = checkLinearRecurrenceBackward(inputs, grads);
  const { h } = linearRecurrence(gpu, inputs);
  const [da, db] = [gpu.make(inputs.a.shape), gpu.make(inputs.b.shape)];
  const dInitialState = gpu.make([dims.batch, dims.channels]);
  run(gpu, inputs, dims, { b: grads.dh, y: db, end: dInitialState, h, dLast: grads.dLastState, da });
  return inputs.initialState ? { da, db, dInitialState } : { da, db };
}

interface Roles {
  b: Tensor;
  y: Tensor;
  end: Tensor;
  /** For the gradient. */
  h?: Tensor;
  dLast?: Tensor | undefined;
  da?: Tensor;
}

function run(
  gpu: Gpu,
  { a, initialState }: LinearRecurrenceInputs,
  { batch, length, channels }: LinearRecurrenceDims,
  { b, y, end, h, dLast, da }: Roles,
): void {
  gpu.engine.run('linear-recurrence', {
    constants: { REVERSE: h !== undefined, HAS_STATE: initialState !== undefined },
    bind: [a, b, initialState, y, end, h, dLast, da].map((x) => gpu.flat(x)),
    params: [length, channels, dLast ? 1 : 0],
    groups: [Math.ceil(channels / 64), batch],
  });
}
