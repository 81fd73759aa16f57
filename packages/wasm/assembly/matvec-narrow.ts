/*
 * y[M, N] = x[M, K] w[N, K]^T + bias for few rows of x and weights in f16, bf16 or int8. As `matvec`: the weights are read once, in
 * order. What x must be for that is prepared once (`prepareX`), by one thread.
 *
 * f16, bf16: a vector of weights is four 32-bit lanes of two each. The odd ones are in place but for a shift and a mask, so
 * x comes with its even and odd elements apart. f16's bits, moved to where a float has them, are its value times 2^-112: x
 * comes times 2^64 (so that neither overflows) and the sum is scaled by 2^48.
 *
 * int8: dot products of 16-bit integers. x comes as integers of 30 bits, in units of its largest element / 2^29, each as two halves
 * of 15 bits, so that all products and the sums of a block are exact: no accuracy is lost against f32.
 */
import { int, ptr } from './args';
import { halfMask, madd, min, sum, two15, upperHalves } from './simd';
import { BF16, F16, INT8 } from './widen';

/** Even, odd elements of each eight; zeros past the end. */
function prepareHalves(x: usize, k: i32, factor: f32, to: usize): void {
  for (let i = 0; i < k; i++) {
    const lane = i >> 1 & 3 | (i & 1) << 2;
    store<f32>(to + (<usize>(i & ~7) + lane << 2), load<f32>(x + (i << 2)) * factor);
  }
  for (let i = k; i & 7; i++) store<f32>(to + (<usize>(i & ~7) + (i >> 1 & 3 | (i & 1) << 2) << 2), 0);
}

/** Eight high halves, eight low ones, and so on to a whole block; the unit at `unit`. */
function prepareIntegers(x: usize, k: i32, to: usize, unit: usize): void {
  let largest: f32 = 0;
  let sane = true;
  for (let i = 0; i < k; i++) {
    const size = abs<f32>(load<f32>(x + (i << 2)));
    if (size > largest) largest = size;
    if (!(size < Infinity)) sane = false;
  }
  // A row with NaN or infinity gives NaN.
  store<f32>(unit, sane ? largest * <f32>1.862645149230957e-9 : NaN);
  const scale: f64 = largest > 0 && sane ? 536870912.0 / <f64>largest : 0;
  for (let i = 0; i < (k + 31 & ~31); i++) {
    const value = i < k && sane ? <i32>nearest<f64>(<f64>load<f32>(x + (i << 2)) * scale) : 0;
    const at = to + (<usize>(i & ~7) << 2) + ((i & 7) << 1);
    store<i16>(at, <i16>(value >> 15));
    store<i16>(at, <i16>(value & 0x7fff), 16);
  }
}

/** Bytes of a prepared row of x. */
@inline function preparedBytes(k: i32): usize {
  return <usize>(k + 31 & ~31) << 2;
}

/** 0 x, 1 prepared, 2 kind of the weights, 3 M, 4 K, 5 units, 6 how many elements x's rows are apart. One piece. */
export function prepareX(piece: i32, scratch: usize): void {
  const k = int(4);
  for (let row = 0, m = int(3); row < m; row++) {
    const x = ptr(0) + (<usize>row * int(6) << 2);
    const to = ptr(1) + <usize>row * preparedBytes(k);
    if (int(2) == INT8) prepareIntegers(x, k, to, ptr(5) + (row << 2));
    else prepareHalves(x, k, int(2) == F16 ? <f32>1.8446744073709552e19 : 1, to);
  }
}

/** Even elements of eight halves. */
@inline function even(half: bool, v: v128, mask: v128): v128 {
  const high = i32x4.shl(v, 16);
  return half ? v128.and(i32x4.shr_s(high, 3), mask) : high;
}

@inline function odd(half: bool, v: v128, mask: v128): v128 {
  return v128.and(half ? i32x4.shr_s(v, 3) : v, mask);
}

/** A row of weights times a prepared row of x, `count` vectors of eight. */
@inline function dotHalves(half: bool, x: usize, count: i32, w: usize): v128 {
  const mask = half ? halfMask() : upperHalves();
  const end = w + (<usize>count << 4);
  const whole = w + (<usize>(count & ~3) << 4);
  let a0 = f32x4.splat(0), a1 = a0, a2 = a0, a3 = a0;
  while (w < whole) {
    let v = v128.load(w);
    a0 = madd(odd(half, v, mask), v128.load(x, 16), madd(even(half, v, mask), v128.load(x), a0));
    v = v128.load(w, 16);
    a1 = madd(odd(half, v, mask), v128.load(x, 48), madd(even(half, v, mask), v128.load(x, 32), a1));
    v = v128.load(w, 32);
    a2 = madd(odd(half, v, mask), v128.load(x, 80), madd(even(half, v, mask), v128.load(x, 64), a2));
    v = v128.load(w, 48);
    a3 = madd(odd(half, v, mask), v128.load(x, 112), madd(even(half, v, mask), v128.load(x, 96), a3));
    x += 128;
    w += 64;
  }
  while (w < end) {
    const v = v128.load(w);
    a0 = madd(odd(half, v, mask), v128.load(x, 16), madd(even(half, v, mask), v128.load(x), a0));
    x += 32;
    w += 16;
  }
  return f32x4.add(f32x4.add(a0, a1), f32x4.add(a2, a3));
}

export function dotF16(x: usize, count: i32, w: usize): f32 {
  return sum(dotHalves(true, x, count, w)) * 281474976710656.0;
}

export function dotBf16(x: usize, count: i32, w: usize): f32 {
  return sum(dotHalves(false, x, count, w));
}

/** A block of 32 int8 times one of prepared x, times its scale, added to acc. */
@inline function addBlock(x: usize, w: usize, scale: v128, unit: v128, acc: v128): v128 {
  let v = v128.load_ext<i8>(w);
  let high = i32x4.dot_i16x8_s(v, v128.load(x)), low = i32x4.dot_i16x8_s(v, v128.load(x, 16));
  v = v128.load_ext<i8>(w, 8);
  high = i32x4.add(high, i32x4.dot_i16x8_s(v, v128.load(x, 32)));
  low = i32x4.add(low, i32x4.dot_i16x8_s(v, v128.load(x, 48)));
  v = v128.load_ext<i8>(w, 16);
  high = i32x4.add(high, i32x4.dot_i16x8_s(v, v128.load(x, 64)));
  low = i32x4.add(low, i32x4.dot_i16x8_s(v, v128.load(x, 80)));
  v = v128.load_ext<i8>(w, 24);
  high = i32x4.add(high, i32x4.dot_i16x8_s(v, v128.load(x, 96)));
  low = i32x4.add(low, i32x4.dot_i16x8_s(v, v128.load(x, 112)));
  // high 2^15 + low
  return madd(madd(f32x4.convert_i32x4_s(high), unit, f32x4.convert_i32x4_s(low)), scale, acc);
}

/** One row of int8 times a prepared row of x: in units of x. `s`: the row's scales. */
export function dotInt8(x: usize, blocks: i32, w: usize, s: usize): f32 {
  const unit = two15();
  const end = w + (<usize>blocks << 5);
  const even = w + (<usize>(blocks & ~1) << 5);
  let a0 = f32x4.splat(0), a1 = a0;
  while (w < even) {
    a0 = addBlock(x, w, v128.load32_splat(s), unit, a0);
    a1 = addBlock(x + 128, w + 32, v128.load32_splat(s, 4), unit, a1);
    x += 256;
    w += 64;
    s += 8;
  }
  if (w < end) a0 = addBlock(x, w, v128.load32_splat(s), unit, a0);
  return sum(f32x4.add(a0, a1));
}

/** 0 prepared x, 1 w, 2 bias or 0, 3 y, 4 M, 5 N, 6 K, 7 rows of w in a piece, 8 kind, 9 scales, 10 units. */
export function matvecNarrow(piece: i32, scratch: usize): void {
  const m = int(4);
  const n = int(5);
  const k = int(6);
  const kind = int(8);
  const bias = ptr(2);
  const stride = <usize>k << (kind == INT8 ? 0 : 1);
  const blocks = k + 31 >> 5;
  const end = min(n, (piece + 1) * int(7));
  for (let row = piece * int(7); row < end; row++) {
    const w = ptr(1) + <usize>row * stride;
    const b: f32 = bias ? load<f32>(bias + (row << 2)) : 0;
    for (let i = 0; i < m; i++) {
      const x = ptr(0) + <usize>i * preparedBytes(k);
      let y: f32;
      if (kind == INT8) y = dotInt8(x, blocks, w, ptr(9) + (<usize>row * blocks << 2)) * load<f32>(ptr(10) + (i << 2));
      else if (kind == BF16) y = dotBf16(x, k + 7 >> 3, w);
      else y = dotF16(x, k + 7 >> 3, w);
      store<f32>(ptr(3) + (<usize>i * n + row << 2), y + b);
    }
  }
}
