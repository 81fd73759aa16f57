import type { Gpu } from '../gpu.js';
import type { Loan } from '../pool.js';

/** Columns of 64 workgroups each at most this many rows: enough workgroups to fill a device, few enough to add up after. */
const MIN_ROWS_A_BLOCK = 32;
const MAX_BLOCKS = 64;

/**
 * Sums over the rows of a [rows, columns] matrix -> [columns], into `to` or scratch of this call. The order of the additions
 * depends on the shape alone.
 */
export function columnSum(gpu: Gpu, from: Loan, rows: number, columns: number, to?: Loan): Loan {
  const blocks = Math.min(MAX_BLOCKS, Math.max(1, Math.ceil(rows / MIN_ROWS_A_BLOCK)));
  const target = blocks === 1 && to ? to : gpu.make([blocks, columns]).loan;
  const rowsABlock = Math.ceil(rows / blocks);
  const filled = Math.ceil(rows / rowsABlock);
  gpu.engine.run('column-sum', {
    bind: [from, target],
    params: [rows, columns, rowsABlock],
    groups: [Math.ceil(columns / 64), filled],
  });
  return blocks === 1 ? target : columnSum(gpu, target, filled, columns, to);
}
