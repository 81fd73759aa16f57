import {
  type CausalConv1dDims,
  type CausalConv1dInputs,
  type CausalConv1dOutputs,
  type CausalConv1dStepInputs,
  checkCausalConv1d,
  checkCausalConv1dBackward,
  checkCausalConv1dStep,
  type Tensor,
} from '@mamba-ts/backend';
import { fold, type Gpu } from '../gpu.js';
import type { Loan } from '../pool.js';
import { columnSum } from './reductions.js';
import { rowsOf } from './rows.js';

export function causalConv1d(gpu: Gpu, inputs: CausalConv1dInputs): CausalConv1dOutputs {
  const dims = checkCausalConv1d(inputs);
  const { batch, length, channels, width } = dims;
  const y = gpu.make([batch, length, channels]);
  const lastState = gpu.make([batch, width - 1, channels]);
  convolve(gpu, inputs, dims, { y: y.loan, last: lastState.loan });
  return { y, lastState };
}

export function causalConv1dBackward(
  gpu: Gpu,
  inputs: CausalConv1dInputs,
  grads: { dy: Tensor; dLastState?: Tensor | undefined },
): { dx: Tensor; dweight: Tensor; dbias?: Tensor; dInitialState?: Tensor } {
  const dims = checkCausalConv1dBackward(inputs, grads);
  const { batch, length, channels, width } = dims;
  const { weight, bias, activation, initialState, seqIdx } = inputs;
  const dy = gpu.flat(grads.dy);
  const seq = gpu.flat(seqIdx);
  let slope = dy;
  if (activation) {
    slope = gpu.make([batch, length, channels]).loan;
    convolve(gpu, inputs, dims, { y: slope, dy });
  }

  const dx = gpu.make([batch, length, channels]);
  const state = [batch, width - 1, channels];
  const dInitialState = initialState && gpu.make(state);
  gpu.engine.run('conv-backward-input', {
    constants: {
      W: width,
      HAS_SEQ: seqIdx !== undefined,
      HAS_STATE: initialState !== undefined,
      HAS_DLAST: grads.dLastState !== undefined,
    },
    bind: [slope, gpu.flat(weight), seq, gpu.flat(grads.dLastState), dx.loan, dInitialState?.loan],
    params: [batch, length, channels],
    groups: fold(Math.ceil((batch * (length + width - 1) * channels) / 256)),
  });

  // Blocks of tokens, of one batch row each: about a hundred, of at least 32 tokens.
  const block = Math.max(32, Math.ceil((batch * length) / 128));
  const blocksARow = Math.ceil(length / block);
  const columns = channels * (width + 1);
  const sums = gpu.make([batch * blocksARow, columns]).loan;
  gpu.engine.run('conv-backward-weight', {
    constants: { W: width, HAS_STATE: initialState !== undefined, HAS_SEQ: seqIdx !== undefined },
    bind: [slope, gpu.flat(inputs.x), gpu.flat(initialState), seq, sums],
    params: [length, channels, block, blocksARow],
    groups: [Math.ceil(channels / 64), batch * blocksARow],
  });
  const total = columnSum(gpu, sums, batch * blocksARow, columns);
  const dweight = gpu.make([channels, width]);
  const from = (column: number) => [column, width + 1] as const;
  gpu.move(total, dweight.loan, { rows: channels, columns: width, from: from(0), to: [0, width] });
  const out = { dx, dweight, ...(dInitialState ? { dInitialState } : {}) };
  if (!bias) return out;
  const dbias = gpu.make([channels]);
  gpu.move(total, dbias.loan, { rows: channels, columns: 1, from: from(width), to: [0, 1] });
  return { ...out, dbias };
}

/** A sequence of one token, whose last state then goes where the state is. Plain Mamba does not come here: see mamba-step.ts. */
export function causalConv1dStep(gpu: Gpu, inputs: CausalConv1dStepInputs): Tensor {
  const dims = checkCausalConv1dStep(inputs);
  const state = gpu.own(inputs.state);
  const y = gpu.make([dims.batch, dims.channels]);
  const last = gpu.make(state.shape);
  convolve(gpu, { ...inputs, initialState: state }, dims, { y: y.loan, last: last.loan });
  gpu.copyRows(last, state);
  return y;
}

/** The convolution, or (`dy`) dy times the slope of its activation. */
function convolve(
  gpu: Gpu,
  { x, weight, bias, activation, initialState, seqIdx }: CausalConv1dInputs,
  { batch, length, channels, width }: CausalConv1dDims,
  { y, last, dy }: { y: Loan; last?: Loan; dy?: Loan },
): void {
  const rows = rowsOf(gpu, x);
  const tiles = Math.ceil(length / 4);
  gpu.engine.run('conv', {
    constants: {
      W: width,
      SILU: activation === 'silu',
      HAS_BIAS: bias !== undefined,
      HAS_STATE: initialState !== undefined,
      HAS_SEQ: seqIdx !== undefined,
      SLOPE: dy !== undefined,
    },
    bind: [
      rows.loan,
      gpu.flat(weight),
      gpu.flat(bias),
      gpu.flat(initialState),
      gpu.flat(seqIdx),
      y,
      last,
      dy,
    ],
    params: [batch, length, channels, tiles, rows.offset, rows.stride],
    groups: fold(Math.ceil((batch * tiles * channels) / 256)),
  });
}
