/*
 * y[M, N] = x[M, K] w[N, K]^T + bias for few rows of x, f32: decoding. Bound by memory: the weights are read once and strictly in order,
 * row after row, for all rows of x. (Four rows at a time share what they load of x, but are four streams, which the processor
 * prefetches at little more than half of what it does one.) Eight chains hide the latency of the multiply-add.
 */
import { int, ptr } from './args';
import { madd, min, sum } from './simd';

/** One row of weights times one of x. */
export function dot(x: usize, w: usize, k: i32): f32 {
  const end = w + (<usize>k << 2);
  const whole = w + (<usize>(k & ~31) << 2);
  const half = w + (<usize>(k & ~3) << 2);
  let a0 = f32x4.splat(0), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0, a6 = a0, a7 = a0;
  while (w < whole) {
    a0 = madd(v128.load(w), v128.load(x), a0);
    a1 = madd(v128.load(w, 16), v128.load(x, 16), a1);
    a2 = madd(v128.load(w, 32), v128.load(x, 32), a2);
    a3 = madd(v128.load(w, 48), v128.load(x, 48), a3);
    a4 = madd(v128.load(w, 64), v128.load(x, 64), a4);
    a5 = madd(v128.load(w, 80), v128.load(x, 80), a5);
    a6 = madd(v128.load(w, 96), v128.load(x, 96), a6);
    a7 = madd(v128.load(w, 112), v128.load(x, 112), a7);
    w += 128;
    x += 128;
  }
  while (w < half) {
    a0 = madd(v128.load(w), v128.load(x), a0);
    w += 16;
    x += 16;
  }
  while (w < end) {
    a1 = madd(v128.load32_zero(w), v128.load32_zero(x), a1);
    w += 4;
    x += 4;
  }
  a0 = f32x4.add(f32x4.add(a0, a1), f32x4.add(a2, a3));
  a4 = f32x4.add(f32x4.add(a4, a5), f32x4.add(a6, a7));
  return sum(f32x4.add(a0, a4));
}

/** 0 x, 1 w, 2 bias or 0, 3 y, 4 M, 5 N, 6 K, 7 rows of w in a piece, 8 how many elements x's rows are apart. */
export function matvec(piece: i32, scratch: usize): void {
  const m = int(4);
  const n = int(5);
  const k = int(6);
  const stride = <usize>k << 2;
  const end = min(n, (piece + 1) * int(7));
  const bias = ptr(2);
  for (let row = piece * int(7); row < end; row++) {
    const w = ptr(1) + <usize>row * stride;
    const b: f32 = bias ? load<f32>(bias + (row << 2)) : 0;
    for (let i = 0; i < m; i++) {
      store<f32>(ptr(3) + (<usize>i * n + row << 2), dot(ptr(0) + (<usize>i * int(8) << 2), w, k) + b);
    }
  }
}
