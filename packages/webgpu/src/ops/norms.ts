import {
  checkLayerNorm,
  checkLayerNormBackward,
  checkRmsNorm,
  checkRmsNormBackward,
  type LayerNormInputs,
  type NormDims,
  type NormOutputs,
  type RmsNormInputs,
  type Tensor,
} from '@mamba-ts/backend';
import { float } from '../engine.js';
import { fold, type Gpu } from '../gpu.js';
import { columnSum } from './reductions.js';

interface NormGrads {
  dy: Tensor;
  dresidual?: Tensor | undefined;
}

export function rmsNorm(gpu: Gpu, inputs: RmsNormInputs): NormOutputs {
  return forward(gpu, inputs, checkRmsNorm(inputs), false);
}

export function layerNorm(gpu: Gpu, inputs: LayerNormInputs): NormOutputs {
  return forward(gpu, inputs, checkLayerNorm(inputs), true);
}

export function rmsNormBackward(
  gpu: Gpu,
  inputs: RmsNormInputs,
  grads: NormGrads,
): { dx: Tensor; dweight: Tensor } {
  return backward(gpu, inputs, grads, checkRmsNormBackward(inputs, grads), false);
}

export function layerNormBackward(
  gpu: Gpu,
  inputs: LayerNormInputs,
  grads: NormGrads,
): { dx: Tensor; dweight: Tensor; dbias?: Tensor } {
  const dims = checkLayerNormBackward(inputs, grads);
  const { dx, dweight } = backward(gpu, inputs, grads, dims, true);
  if (!inputs.bias) return { dx, dweight };
  const dbias = gpu.make([dims.channels]);
  columnSum(gpu, gpu.flat(grads.dy), dims.rows, dims.channels, dbias.loan);
  return { dx, dweight, dbias };
}

/** Threads a row. */
const groupSize = (channels: number) => (channels <= 256 ? 64 : 256);

function forward(
  gpu: Gpu,
  { x, weight, bias, residual, eps }: LayerNormInputs,
  { rows, channels }: NormDims,
  layer: boolean,
): NormOutputs {
  const y = gpu.make(x.shape);
  const total = residual && gpu.make(x.shape);
  gpu.engine.run('norm', {
    constants: {
      WG: groupSize(channels),
      LAYER: layer,
      HAS_BIAS: bias !== undefined,
      HAS_RESIDUAL: residual !== undefined,
    },
    bind: [gpu.flat(x), gpu.flat(weight), gpu.flat(bias), gpu.flat(residual), y.loan, total?.loan],
    params: [rows, channels, float(eps)],
    groups: fold(rows),
  });
  return { y, residual: total ?? x };
}

function backward(
  gpu: Gpu,
  { x, weight, residual, eps }: RmsNormInputs,
  { dy, dresidual }: NormGrads,
  { rows, channels }: NormDims,
  layer: boolean,
): { dx: Tensor; dweight: Tensor } {
  const dx = gpu.make(x.shape);
  const products = gpu.make([rows, channels]);
  gpu.engine.run('norm-backward', {
    constants: {
      WG: groupSize(channels),
      LAYER: layer,
      HAS_RESIDUAL: residual !== undefined,
      HAS_DRESIDUAL: dresidual !== undefined,
    },
    bind: [
      gpu.flat(x),
      gpu.flat(weight),
      gpu.flat(residual),
      gpu.flat(dy),
      gpu.flat(dresidual),
      dx.loan,
      products.loan,
    ],
    params: [rows, channels, float(eps)],
    groups: fold(rows),
  });
  const dweight = gpu.make([channels]);
  columnSum(gpu, products.loan, rows, channels, dweight.loan);
  return { dx, dweight };
}
