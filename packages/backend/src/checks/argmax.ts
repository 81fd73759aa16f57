import type { Tensor } from '../tensor.js';
import { CallCheck, type FloatDType } from './call-check.js';

export interface ArgmaxDims {
  readonly dtype: FloatDType;
  readonly rows: number;
  /** Length of the last axis. */
  readonly columns: number;
  /** Of the result. */
  readonly shape: readonly number[];
}

export function checkArgmax({ x }: { x: Tensor }): ArgmaxDims {
  const call = new CallCheck('argmax');
  call.float('x', x, ['...', 'V']);
  return { dtype: call.dtype, rows: call.rows, columns: call.size('V'), shape: call.leading };
}
