/*
 * y[M, N] = x[M, K] w[N, K]^T + bias for few rows of x, f32: decoding. Bound by memory: every weight is read once, in order, four rows at
 * a time, for all rows of x. Two chains a row, eight in all, hide the latency of the multiply-add.
 */
import { int, ptr } from './args';
import { madd, min, storePart, sums } from './simd';

/** 0 x, 1 w, 2 bias or 0, 3 y, 4 M, 5 N, 6 K, 7 rows of w in a piece. */
export function matvec(piece: i32, scratch: usize): void {
  const m = int(4);
  const n = int(5);
  const k = int(6);
  const stride = <usize>k << 2;
  const end = min(n, (piece + 1) * int(7));
  const bias = ptr(2);
  const whole = stride & ~31;
  const half = stride & ~15;
  for (let row = piece * int(7); row < end; row += 4) {
    const rows = min(4, end - row);
    let w0 = ptr(1) + <usize>row * stride;
    // Past the last row: the last again, not stored.
    let w1 = rows > 1 ? w0 + stride : w0;
    let w2 = rows > 2 ? w1 + stride : w1;
    let w3 = rows > 3 ? w2 + stride : w2;
    for (let i = 0; i < m; i++) {
      let x = ptr(0) + <usize>i * stride;
      const xWhole = x + whole;
      const xHalf = x + half;
      const xEnd = x + stride;
      let a0 = f32x4.splat(0), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
      while (x < xWhole) {
        let v = v128.load(x);
        a0 = madd(v128.load(w0), v, a0);
        a1 = madd(v128.load(w1), v, a1);
        a2 = madd(v128.load(w2), v, a2);
        a3 = madd(v128.load(w3), v, a3);
        v = v128.load(x, 16);
        b0 = madd(v128.load(w0, 16), v, b0);
        b1 = madd(v128.load(w1, 16), v, b1);
        b2 = madd(v128.load(w2, 16), v, b2);
        b3 = madd(v128.load(w3, 16), v, b3);
        x += 32;
        w0 += 32;
        w1 += 32;
        w2 += 32;
        w3 += 32;
      }
      if (x < xHalf) {
        const v = v128.load(x);
        a0 = madd(v128.load(w0), v, a0);
        a1 = madd(v128.load(w1), v, a1);
        a2 = madd(v128.load(w2), v, a2);
        a3 = madd(v128.load(w3), v, a3);
        x += 16;
        w0 += 16;
        w1 += 16;
        w2 += 16;
        w3 += 16;
      }
      while (x < xEnd) {
        const v = v128.load32_zero(x);
        b0 = madd(v128.load32_zero(w0), v, b0);
        b1 = madd(v128.load32_zero(w1), v, b1);
        b2 = madd(v128.load32_zero(w2), v, b2);
        b3 = madd(v128.load32_zero(w3), v, b3);
        x += 4;
        w0 += 4;
        w1 += 4;
        w2 += 4;
        w3 += 4;
      }
      let y = sums(f32x4.add(a0, b0), f32x4.add(a1, b1), f32x4.add(a2, b2), f32x4.add(a3, b3));
      if (bias) y = f32x4.add(y, v128.load(bias + (row << 2)));
      storePart(ptr(3) + (<usize>i * n + row << 2), y, rows);
      w0 -= stride;
      w1 -= stride;
      w2 -= stride;
      w3 -= stride;
    }
  }
}
