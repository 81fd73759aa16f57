import type { LongConvInputs } from '../ops.js';
import type { Tensor } from '../tensor.js';
import { CallCheck, type FloatDType } from './call-check.js';

export interface LongConvDims {
  readonly dtype: FloatDType;
  readonly batch: number;
  readonly length: number;
  readonly channels: number;
  /** K, shorter or longer than the length. */
  readonly taps: number;
}

export function checkLongConv(inputs: LongConvInputs): LongConvDims {
  return check(new CallCheck('longConv'), inputs);
}

/** The same, and `dy` [B, L, D]. */
export function checkLongConvBackward(inputs: LongConvInputs, { dy }: { dy: Tensor }): LongConvDims {
  const call = new CallCheck('longConvBackward');
  const dims = check(call, inputs);
  call.float('dy', dy, ['B', 'L', 'D']);
  return dims;
}

function check(call: CallCheck, { x, kernel, D }: LongConvInputs): LongConvDims {
  call.float('x', x, ['B', 'L', 'D']);
  call.float('kernel', kernel, ['D', 'K']);
  call.optionalFloat('D', D, ['D']);
  return {
    dtype: call.dtype,
    batch: call.size('B'),
    length: call.size('L'),
    channels: call.size('D'),
    taps: call.size('K'),
  };
}
