import type { Tensor } from '@mamba-ts/backend';
import type { Gpu } from '../gpu.js';
import type { Loan } from '../pool.js';

/** Rows in a buffer: how kernels take the pieces of a split without a copy. */
export interface Rows {
  readonly loan: Loan;
  /** Of the first element, in elements. */
  readonly offset: number;
  /** From one row to the next, in elements. */
  readonly stride: number;
}

export function rowsOf(gpu: Gpu, x: Tensor): Rows {
  const { loan, offset, stride } = gpu.get(x);
  return { loan, offset, stride };
}
