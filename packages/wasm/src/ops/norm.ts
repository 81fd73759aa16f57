import {
  checkLayerNorm,
  checkLayerNormBackward,
  checkRmsNorm,
  checkRmsNormBackward,
  type NormDims,
  type NormOutputs,
  type RmsNormInputs,
  type Tensor,
} from '@mamba-ts/backend';
import { NORM, NORM_BACKWARD, NORM_WEIGHT_BACKWARD } from '../kernel-ids.js';
import type { Job, Runtime } from '../runtime.js';
import { addressOf, ceilDiv, type Op } from './op.js';

function forward(
  runtime: Runtime,
  inputs: RmsNormInputs,
  bias: Tensor | undefined,
  { rows, channels }: NormDims,
  center: boolean,
): NormOutputs {
  const { x, residual, weight, eps } = inputs;
  const y = runtime.empty(x.shape);
  const sum = residual && runtime.empty(x.shape);
  runtime.run(
    normJob({
      x: addressOf(x),
      residual: addressOf(residual),
      weight: addressOf(weight),
      bias: addressOf(bias),
      y: y.address,
      sum: addressOf(sum),
      rows,
      channels,
      center,
      eps,
    }),
  );
  return { y, residual: sum ?? x };
}

/** Addresses, and numbers of elements. */
export interface Norm {
  readonly x: number;
  readonly residual: number;
  readonly weight: number;
  readonly bias: number;
  readonly y: number;
  /** For x + residual. */
  readonly sum: number;
  readonly rows: number;
  readonly channels: number;
  readonly center: boolean;
  readonly eps: number;
}

export function normJob({ x, residual, weight, bias, y, sum, rows, channels, center, eps }: Norm): Job {
  return {
    kernel: NORM,
    pieces: ceilDiv(rows, 16),
    ints: [x, residual, weight, bias, y, sum, rows, channels, Number(center)],
    floats: [eps],
    work: rows * channels,
    scratch: 4 * channels + 64,
  };
}

function backward(
  runtime: Runtime,
  inputs: RmsNormInputs,
  bias: Tensor | undefined,
  { dy, dresidual }: { dy: Tensor; dresidual?: Tensor | undefined },
  { rows, channels }: NormDims,
  center: boolean,
): { dx: Tensor; dweight: Tensor; dbias?: Tensor } {
  const { x, residual, weight, eps } = inputs;
  const dx = runtime.empty(x.shape);
  const dweight = runtime.empty([channels]);
  const dbias = bias && runtime.empty([channels]);
  runtime.withMemory(8 * rows, (statistics) => {
    runtime.run({
      kernel: NORM_BACKWARD,
      pieces: ceilDiv(rows, 16),
      ints: [
        addressOf(x),
        addressOf(residual),
        addressOf(weight),
        addressOf(dy),
        addressOf(dresidual),
        dx.address,
        rows,
        channels,
        Number(center),
        statistics,
      ],
      floats: [eps],
      work: 2 * rows * channels,
      scratch: 8 * channels + 128,
    });
    runtime.run({
      kernel: NORM_WEIGHT_BACKWARD,
      pieces: ceilDiv(channels, 16),
      ints: [
        addressOf(x),
        addressOf(residual),
        addressOf(dy),
        statistics,
        dweight.address,
        addressOf(dbias),
        rows,
        channels,
      ],
      work: rows * channels,
    });
  });
  return dbias ? { dx, dweight, dbias } : { dx, dweight };
}

export const rmsNorm: Op<'rmsNorm'> = (runtime, inputs) =>
  forward(runtime, inputs, undefined, checkRmsNorm(inputs), false);

export const layerNorm: Op<'layerNorm'> = (runtime, inputs) =>
  forward(runtime, inputs, inputs.bias, checkLayerNorm(inputs), true);

export const rmsNormBackward: Op<'rmsNormBackward'> = (runtime, inputs, grads) =>
  backward(runtime, inputs, undefined, grads, checkRmsNormBackward(inputs, grads), false);

export const layerNormBackward: Op<'layerNormBackward'> = (runtime, inputs, grads) =>
  backward(runtime, inputs, inputs.bias, grads, checkLayerNormBackward(inputs, grads), true);
