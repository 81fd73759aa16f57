import { sizeOf } from '../tensor.js';
import { CallCheck, show } from './call-check.js';

export interface FillDims {
  readonly dtype: 'f32' | 'f64' | 'i32';
  readonly size: number;
}

/** Any number for a floating type, NaN and infinities too; a 32-bit whole number for i32. */
export function checkFill(inputs: {
  shape: readonly number[];
  value: number;
  dtype?: 'f32' | 'f64' | 'i32' | undefined;
}): FillDims {
  const { shape, value, dtype = 'f32' } = inputs;
  const call = new CallCheck('fill');
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    call.fail('SHAPE', `shape ${show(shape)} is not one of whole sizes, at least 0`);
  }
  if (dtype !== 'f32' && dtype !== 'f64' && dtype !== 'i32') {
    call.fail('DTYPE', `dtype is ${dtype}, expected f32, f64 or i32`);
  }
  if (dtype === 'i32') call.number('value', value, (value | 0) === value, 'a 32-bit whole number for i32');
  else call.number('value', value, true, 'a number');
  return { dtype, size: sizeOf(shape) };
}
