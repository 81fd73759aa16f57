/*
 * Sums over rows. A piece is 16 columns, one cache line of each row, so every column is summed by one thread in one order;
 * 64 rows at a time, so that rounding errors grow with the root of the rows' number, not with it.
 */
import { int, ptr } from './args';
import { min, storePart } from './simd';

/** y[m][c] = sum over r of x[m][r][c]. 0 x, 1 rows, 2 columns, 3 y. Pieces: blocks of columns of the matrices, one after another. */
export function columnSums(piece: i32, scratch: usize): void {
  const rows = int(1);
  const columns = int(2);
  const stride = <usize>columns << 2;
  const blocks = columns + 15 >> 4;
  const matrix = piece / blocks;
  const from = ptr(0) + <usize>matrix * rows * stride;
  const to = ptr(3) + <usize>matrix * stride;
  const first = piece % blocks << 4;
  const stop = min(columns, first + 16);
  for (let column = first; column < stop; column += 4) {
    let total = f32x4.splat(0);
    for (let block = 0; block < rows; block += 64) {
      let x = from + <usize>block * stride + (column << 2);
      let part = f32x4.splat(0);
      for (let row = block, last = min(rows, block + 64); row < last; row++) {
        part = f32x4.add(part, v128.load(x));
        x += stride;
      }
      total = f32x4.add(total, part);
    }
    storePart(to + (column << 2), total, stop - column);
  }
}
