import {
  checkLayerNorm,
  checkLayerNormBackward,
  checkRmsNorm,
  checkRmsNormBackward,
  type LayerNormInputs,
  type NormDims,
  type RmsNormInputs,
  type Tensor,
} from '@mamba-ts/backend';
import { accumulator, store } from '../accumulate.js';
import { floats, optionalFloats } from '../cpu-tensor.js';
import type { Kernel, Make } from '../kernel.js';

/** y = r / sqrt(mean(r²) + eps) * weight, r = x + residual */
export const rmsNorm: Kernel<'rmsNorm'> = (make, inputs) =>
  forward(make, inputs, checkRmsNorm(inputs), 'rms');

export const rmsNormBackward: Kernel<'rmsNormBackward'> = (make, inputs, grads) =>
  backward(make, inputs, grads, checkRmsNormBackward(inputs, grads), 'rms');

/** y = (r - mean) / sqrt(var + eps) * weight + bias, r = x + residual */
export const layerNorm: Kernel<'layerNorm'> = (make, inputs) =>
  forward(make, inputs, checkLayerNorm(inputs), 'layer');

export const layerNormBackward: Kernel<'layerNormBackward'> = (make, inputs, grads) =>
  backward(make, inputs, grads, checkLayerNormBackward(inputs, grads), 'layer');

/** An rms norm is a layer norm that takes no mean away and has no bias. */
type Norm = 'rms' | 'layer';

function forward(make: Make, inputs: LayerNormInputs, { dtype, rows, channels }: NormDims, norm: Norm) {
  const weight = floats(inputs.weight);
  const bias = optionalFloats(inputs.bias);
  const y = make(inputs.x.shape, dtype);
  const values = floats(y);
  const sum = inputs.residual && make(inputs.x.shape, dtype);
  const normalised = new Float64Array(channels);
  for (let row = 0; row < rows; row++) {
    const at = row * channels;
    readRow(inputs, at, normalised);
    if (sum) floats(sum).set(normalised, at);
    normalise(normalised, inputs.eps, norm);
    for (let d = 0; d < channels; d++) values[at + d] = normalised[d] * weight[d] + (bias ? bias[d] : 0);
  }
  return { y, residual: sum ?? inputs.x };
}

/** With g = dy weight and n the normalised row: dr = (g - mean(g) - n mean(g n)) / sqrt(...), without mean(g) for rms. */
function backward(
  make: Make,
  inputs: LayerNormInputs,
  grads: { dy: Tensor; dresidual?: Tensor | undefined },
  { dtype, rows, channels }: NormDims,
  norm: Norm,
) {
  const weight = floats(inputs.weight);
  const dy = floats(grads.dy);
  const dresidual = optionalFloats(grads.dresidual);
  const dx = make(inputs.x.shape, dtype);
  const dweight = make([channels], dtype);
  const dbias = inputs.bias && make([channels], dtype);
  const values = floats(dx);
  const weightSums = accumulator(dweight);
  const biasSums = dbias && accumulator(dbias);
  const normalised = new Float64Array(channels);
  for (let row = 0; row < rows; row++) {
    const at = row * channels;
    readRow(inputs, at, normalised);
    const scale = normalise(normalised, inputs.eps, norm);
    let mean = 0;
    let projection = 0;
    for (let d = 0; d < channels; d++) {
      const g = dy[at + d] * weight[d];
      mean += g / channels;
      projection += (g * normalised[d]) / channels;
      weightSums[d] += dy[at + d] * normalised[d];
      if (biasSums) biasSums[d] += dy[at + d];
    }
    if (norm === 'rms') mean = 0;
    for (let d = 0; d < channels; d++) {
      const g = dy[at + d] * weight[d];
      values[at + d] = scale * (g - mean - normalised[d] * projection) + (dresidual ? dresidual[at + d] : 0);
    }
  }
  store(weightSums, dweight);
  if (dbias && biasSums) store(biasSums, dbias);
  return dbias ? { dx, dweight, dbias } : { dx, dweight };
}

/** One row of x + residual. */
function readRow({ x, residual }: RmsNormInputs, at: number, row: Float64Array): void {
  const values = floats(x);
  const added = optionalFloats(residual);
  for (let d = 0; d < row.length; d++) row[d] = values[at + d] + (added ? added[at + d] : 0);
}

/** In place. Returns what the (centred) row was multiplied by. */
function normalise(row: Float64Array, eps: number, norm: Norm): number {
  let mean = 0;
  if (norm === 'layer') {
    for (let d = 0; d < row.length; d++) mean += row[d];
    mean /= row.length;
  }
  let squares = 0;
  for (let d = 0; d < row.length; d++) {
    row[d] -= mean;
    squares += row[d] * row[d];
  }
  const scale = 1 / Math.sqrt(squares / row.length + eps);
  for (let d = 0; d < row.length; d++) row[d] *= scale;
  return scale;
}
