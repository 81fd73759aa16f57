import type { LayerNormInputs, RmsNormInputs } from '../ops.js';
import type { Tensor } from '../tensor.js';
import { CallCheck, type FloatDType } from './call-check.js';

export interface NormDims {
  readonly dtype: FloatDType;
  /** Product of the leading axes: each row is normalised by itself. */
  readonly rows: number;
  readonly channels: number;
}

export function checkRmsNorm(inputs: RmsNormInputs): NormDims {
  return check(new CallCheck('rmsNorm'), inputs);
}

export function checkRmsNormBackward(inputs: RmsNormInputs, grads: NormGradients): NormDims {
  return checkBackward(new CallCheck('rmsNormBackward'), inputs, grads);
}

export function checkLayerNorm(inputs: LayerNormInputs): NormDims {
  return check(new CallCheck('layerNorm'), inputs);
}

export function checkLayerNormBackward(inputs: LayerNormInputs, grads: NormGradients): NormDims {
  return checkBackward(new CallCheck('layerNormBackward'), inputs, grads);
}

interface NormGradients {
  dy: Tensor;
  dresidual?: Tensor | undefined;
}

function checkBackward(call: CallCheck, inputs: LayerNormInputs, { dy, dresidual }: NormGradients): NormDims {
  const dims = check(call, inputs);
  call.float('dy', dy, ['...', 'D']);
  call.optionalFloat('dresidual', dresidual, ['...', 'D']);
  return dims;
}

function check(call: CallCheck, { x, weight, bias, residual, eps }: LayerNormInputs): NormDims {
  call.float('x', x, ['...', 'D']);
  call.float('weight', weight, ['D']);
  call.optionalFloat('bias', bias, ['D']);
  call.optionalFloat('residual', residual, ['...', 'D']);
  call.number('eps', eps, eps >= 0 && eps < Number.POSITIVE_INFINITY, 'a finite number, at least 0');
  return { dtype: call.dtype, rows: call.rows, channels: call.size('D') };
}
