/* add, mul, silu, exp: one pass over contiguous memory. Whole vectors only: every tensor has room to the end of its last line. */
import { int, num, ptr } from './args';
import { copyWords, exp4, madd, min, one, sigmoid4 } from './simd';

/** Bytes in a piece. */
const PIECE: i32 = 65536;

@inline function begin(piece: i32): usize {
  return <usize>piece * PIECE;
}

/** The last argument of each kernel here is the number of elements. */
@inline function end(piece: i32, size: i32): usize {
  const bytes = (<usize>size + 3 & ~3) << 2;
  const stop = (<usize>piece + 1) * PIECE;
  return stop < bytes ? stop : bytes;
}

/** 0 a, 1 b, 2 y, 3 size */
export function add(piece: i32, scratch: usize): void {
  const a = ptr(0), b = ptr(1), y = ptr(2);
  for (let i = begin(piece), stop = end(piece, int(3)); i < stop; i += 16) {
    v128.store(y + i, f32x4.add(v128.load(a + i), v128.load(b + i)));
  }
}

/** 0 a, 1 b, 2 y, 3 size */
export function mul(piece: i32, scratch: usize): void {
  const a = ptr(0), b = ptr(1), y = ptr(2);
  for (let i = begin(piece), stop = end(piece, int(3)); i < stop; i += 16) {
    v128.store(y + i, f32x4.mul(v128.load(a + i), v128.load(b + i)));
  }
}

/** 0 x, 1 y, 2 size */
export function silu(piece: i32, scratch: usize): void {
  const x = ptr(0), y = ptr(1);
  for (let i = begin(piece), stop = end(piece, int(2)); i < stop; i += 16) {
    const v = v128.load(x + i);
    v128.store(y + i, f32x4.mul(v, sigmoid4(v)));
  }
}

/** d silu(x) / dx = s (1 + x (1 - s)), s = sigmoid(x) */
@inline export function siluSlope(x: v128): v128 {
  const s = sigmoid4(x);
  return f32x4.mul(s, madd(x, f32x4.sub(one(), s), one()));
}

/** 0 x, 1 dy, 2 dx, 3 size */
export function siluBackward(piece: i32, scratch: usize): void {
  const x = ptr(0), dy = ptr(1), dx = ptr(2);
  for (let i = begin(piece), stop = end(piece, int(3)); i < stop; i += 16) {
    v128.store(dx + i, f32x4.mul(v128.load(dy + i), siluSlope(v128.load(x + i))));
  }
}

/** Saturated as IEEE says: infinity above, zero below. 0 x, 1 y, 2 size; sign */
export function exp(piece: i32, scratch: usize): void {
  const x = ptr(0), y = ptr(1);
  const sign = f32x4.splat(num(0));
  const high = f32x4.splat(88.72284), low = f32x4.splat(-87.33655), infinity = f32x4.splat(Infinity);
  for (let i = begin(piece), stop = end(piece, int(2)); i < stop; i += 16) {
    const v = v128.load(x + i);
    let e = v128.bitselect(infinity, exp4(v), f32x4.gt(v, high));
    e = v128.andnot(e, f32x4.lt(v, low));
    v128.store(y + i, f32x4.mul(e, sign));
  }
}

/** The same 32 bits everywhere. 0 y, 1 size, 2 bits */
export function fill(piece: i32, scratch: usize): void {
  const y = ptr(0);
  const v = i32x4.splat(int(2));
  for (let i = begin(piece), stop = end(piece, int(1)); i < stop; i += 16) v128.store(y + i, v);
}

/**
 * AdamW with decoupled decay, as torch. 0 param, 1 grad, 2 m, 3 v, 4 size; scale of the gradient, beta1, 1 - beta1, beta2, 1 - beta2,
 * 1 - lr * weightDecay, lr / (1 - beta1^t), 1 / sqrt(1 - beta2^t), eps
 */
export function adamW(piece: i32, scratch: usize): void {
  const param = ptr(0), grad = ptr(1), m = ptr(2), v = ptr(3);
  const scale = f32x4.splat(num(0)), beta1 = f32x4.splat(num(1)), rest1 = f32x4.splat(num(2));
  const beta2 = f32x4.splat(num(3)), rest2 = f32x4.splat(num(4)), keep = f32x4.splat(num(5));
  const rate = f32x4.splat(num(6)), root = f32x4.splat(num(7)), eps = f32x4.splat(num(8));
  for (let i = begin(piece), stop = end(piece, int(4)); i < stop; i += 16) {
    const g = f32x4.mul(v128.load(grad + i), scale);
    const m1 = f32x4.add(f32x4.mul(v128.load(m + i), beta1), f32x4.mul(g, rest1));
    const v1 = f32x4.add(f32x4.mul(v128.load(v + i), beta2), f32x4.mul(f32x4.mul(g, g), rest2));
    v128.store(m + i, m1);
    v128.store(v + i, v1);
    const step = f32x4.div(f32x4.mul(rate, m1), f32x4.add(f32x4.mul(f32x4.sqrt(v1), root), eps));
    v128.store(param + i, f32x4.sub(f32x4.mul(v128.load(param + i), keep), step));
  }
}

/** Sum of squares, in f64, of each 16384 elements. 0 x, 1 sums, 2 size */
export function squares(piece: i32, scratch: usize): void {
  const x = ptr(0);
  let low = f64x2.splat(0), high = low;
  const first = begin(piece);
  const size = <usize>int(2) << 2;
  const stop = first + PIECE < size ? first + PIECE : size;
  let i = first;
  for (; i + 16 <= stop; i += 16) {
    const v = v128.load(x + i);
    const a = f64x2.promote_low_f32x4(v);
    const b = f64x2.promote_low_f32x4(v128.shuffle<f32>(v, v, 2, 3, 2, 3));
    low = f64x2.add(low, f64x2.mul(a, a));
    high = f64x2.add(high, f64x2.mul(b, b));
  }
  low = f64x2.add(low, high);
  let total = f64x2.extract_lane(low, 0) + f64x2.extract_lane(low, 1);
  for (; i < stop; i += 4) total += <f64>load<f32>(x + i) * <f64>load<f32>(x + i);
  store<f64>(ptr(1) + (piece << 3), total);
}

/** Runs of words from one place to another. 0 source, 1 its stride, 2 destination, 3 its stride, 4 runs, 5 bytes a run, 6 runs in a piece */
export function copyRuns(piece: i32, scratch: usize): void {
  const bytes = <usize>int(5);
  const stop = min(int(4), (piece + 1) * int(6));
  for (let run = piece * int(6); run < stop; run++) {
    const from = ptr(0) + <usize>run * int(1);
    const to = ptr(2) + <usize>run * int(3);
    copyWords(to, from, bytes);
  }
}
