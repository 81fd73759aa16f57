import {
  type CausalConv1dDims,
  type CausalConv1dInputs,
  checkCausalConv1d,
  checkCausalConv1dBackward,
  checkCausalConv1dStep,
} from '@mamba-ts/backend';
import { accumulator, store } from '../accumulate.js';
import { type Floats, floats, ints, optionalFloats } from '../cpu-tensor.js';
import type { Kernel } from '../kernel.js';
import { silu, siluSlope } from '../math.js';

/** y_t = silu(bias + sum_j weight_j x_{t-W+1+j}); what is before the first token comes from the initial state. */
export const causalConv1d: Kernel<'causalConv1d'> = (make, inputs) => {
  const dims = checkCausalConv1d(inputs);
  const { dtype, batch, channels, width } = dims;
  const conv = readConvolution(inputs, dims);
  const y = make(inputs.x.shape, dtype);
  const lastState = make([batch, width - 1, channels], dtype);
  convolve(conv, inputs.activation, floats(y));
  shiftState(conv, floats(lastState));
  return { y, lastState };
};

/** One token: a convolution of length 1 whose last state replaces its initial one. */
export const causalConv1dStep: Kernel<'causalConv1dStep'> = (make, inputs) => {
  const dims = checkCausalConv1dStep(inputs);
  const conv = readConvolution({ ...inputs, initialState: inputs.state }, dims);
  const y = make(inputs.x.shape, dims.dtype);
  convolve(conv, inputs.activation, floats(y));
  shiftState(conv, floats(inputs.state));
  return y;
};

/** The transposed convolution, through the activation; the gradient of the last state flows to the inputs that it holds. */
export const causalConv1dBackward: Kernel<'causalConv1dBackward'> = (make, inputs, grads) => {
  const dims = checkCausalConv1dBackward(inputs, grads);
  const { dtype, batch, length, channels, width } = dims;
  const conv = readConvolution(inputs, dims);
  const dy = floats(grads.dy);
  const dLastState = optionalFloats(grads.dLastState);
  const dx = make(inputs.x.shape, dtype);
  const dweight = make(inputs.weight.shape, dtype);
  const dbias = inputs.bias && make([channels], dtype);
  const dInitialState = inputs.initialState && make(inputs.initialState.shape, dtype);
  const xSums = accumulator(dx);
  const weightSums = accumulator(dweight);
  const biasSums = dbias && accumulator(dbias);
  const stateSums = dInitialState && accumulator(dInitialState);

  const sums = new Float64Array(channels);
  for (let b = 0; b < batch; b++) {
    for (let t = 0; t < length; t++) {
      const at = (b * length + t) * channels;
      if (inputs.activation === 'silu') preActivation(conv, b, t, sums);
      for (let d = 0; d < channels; d++) {
        sums[d] = inputs.activation === 'silu' ? dy[at + d] * siluSlope(sums[d]) : dy[at + d];
        if (biasSums) biasSums[d] += sums[d];
      }
      for (let j = 0; j < width; j++) {
        const s = t - width + 1 + j;
        const row = inputRow(conv, b, s, t);
        if (row < 0) continue;
        const source = s >= 0 ? conv.x : conv.initialState!;
        const target = s >= 0 ? xSums : stateSums!;
        addTap(conv, j, sums, source, target, row, weightSums);
      }
    }
    for (let j = 0; dLastState && j < width - 1; j++) {
      const s = length - width + 1 + j;
      const row = inputRow(conv, b, s, length - 1);
      if (row < 0) continue;
      const target = s >= 0 ? xSums : stateSums!;
      const at = (b * (width - 1) + j) * channels;
      for (let d = 0; d < channels; d++) target[row + d] += dLastState[at + d];
    }
  }

  store(xSums, dx);
  store(weightSums, dweight);
  if (dbias && biasSums) store(biasSums, dbias);
  if (dInitialState && stateSums) store(stateSums, dInitialState);
  return { dx, dweight, ...(dbias && { dbias }), ...(dInitialState && { dInitialState }) };
};

/** One tap of one token, backwards: its gradient goes to the input at `row` and to column `j` of the weight. */
function addTap(
  { channels, width, weight }: Convolution,
  j: number,
  gradient: Float64Array,
  source: Floats,
  target: Float64Array,
  row: number,
  weightSums: Float64Array,
): void {
  for (let d = 0; d < channels; d++) {
    weightSums[d * width + j] += gradient[d] * source[row + d];
    target[row + d] += gradient[d] * weight[d * width + j];
  }
}

interface Convolution extends CausalConv1dDims {
  readonly x: Floats;
  readonly weight: Floats;
  readonly bias: Floats | undefined;
  readonly initialState: Floats | undefined;
  readonly seqIdx: Int32Array | undefined;
}

function readConvolution(inputs: CausalConv1dInputs, dims: CausalConv1dDims): Convolution {
  return {
    ...dims,
    x: floats(inputs.x),
    weight: floats(inputs.weight),
    bias: optionalFloats(inputs.bias),
    initialState: optionalFloats(inputs.initialState),
    seqIdx: inputs.seqIdx && ints(inputs.seqIdx),
  };
}

/**
 * Where the input of token `s` starts: in x, or in the initial state if `s` is negative. -1 if token `t` sees a zero there:
 * nothing is known of that time, or it belongs to another sequence.
 */
function inputRow(
  { length, channels, width, initialState, seqIdx }: Convolution,
  b: number,
  s: number,
  t: number,
): number {
  if (s < 0 && !initialState) return -1;
  // The initial state belongs to the first token's sequence.
  if (seqIdx && seqIdx[b * length + Math.max(s, 0)] !== seqIdx[b * length + t]) return -1;
  return s >= 0 ? (b * length + s) * channels : (b * (width - 1) + s + width - 1) * channels;
}

/** bias + weight · inputs of one token, all channels. */
function preActivation(conv: Convolution, b: number, t: number, sums: Float64Array): void {
  const { channels, width, weight, bias } = conv;
  if (bias) sums.set(bias);
  else sums.fill(0);
  for (let j = 0; j < width; j++) {
    const s = t - width + 1 + j;
    const row = inputRow(conv, b, s, t);
    if (row < 0) continue;
    const source = s >= 0 ? conv.x : conv.initialState!;
    for (let d = 0; d < channels; d++) sums[d] += weight[d * width + j] * source[row + d];
  }
}

function convolve(conv: Convolution, activation: 'silu' | undefined, y: Floats): void {
  const { batch, length, channels } = conv;
  const sums = new Float64Array(channels);
  for (let b = 0; b < batch; b++) {
    for (let t = 0; t < length; t++) {
      const at = (b * length + t) * channels;
      preActivation(conv, b, t, sums);
      if (activation === 'silu') for (let d = 0; d < channels; d++) y[at + d] = silu(sums[d]);
      else y.set(sums, at);
    }
  }
}

/** The last W-1 inputs, oldest first. `lastState` may be the initial state: a row is read before it is written. */
function shiftState(conv: Convolution, lastState: Floats): void {
  const { batch, length, channels, width } = conv;
  for (let b = 0; b < batch; b++) {
    for (let j = 0; j < width - 1; j++) {
      const s = length - width + 1 + j;
      const at = (b * (width - 1) + j) * channels;
      const row = inputRow(conv, b, s, length - 1);
      const source = s >= 0 ? conv.x : conv.initialState!;
      for (let d = 0; d < channels; d++) lastState[at + d] = row < 0 ? 0 : source[row + d];
    }
  }
}
