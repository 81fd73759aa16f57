/* The place of the first of the largest, a row at a time: the largest, then where it first is. */
import { int, ptr } from './args';
import { maximum } from './cross-entropy';
import { min } from './simd';

/** 0 x, 1 y (i32), 2 rows, 3 columns. A piece: 16 rows. */
export function argmax(piece: i32, scratch: usize): void {
  const n = int(3);
  for (let row = piece << 4, stop = min(int(2), row + 16); row < stop; row++) {
    const x = ptr(0) + (<usize>row * n << 2);
    const top = maximum(x, n);
    let i = 0;
    if (top == top) {
      const wanted = f32x4.splat(top);
      while (i + 4 <= n && !v128.any_true(f32x4.eq(v128.load(x + (<usize>i << 2)), wanted))) i += 4;
      while (load<f32>(x + (<usize>i << 2)) != top) i++;
    } else {
      // The largest is NaN if there is one: the first NaN, as torch.
      while (load<f32>(x + (<usize>i << 2)) == load<f32>(x + (<usize>i << 2))) i++;
    }
    store<i32>(ptr(1) + (<usize>row << 2), i);
  }
}
