/*
 * What `matvec` does with a panel in f16, bf16 or int8. What x must be for that is prepared once (`prepareX`).
 *
 * f16: the bits of a half, moved to where a float has them, are its value times 2^-112: x comes times 2^64 (so that neither
 * overflows) and the sum is scaled by 2^48. bf16 takes x as it is.
 *
 * int8: x comes as integers, in a unit for each block of 64, so that all products and the sums of a block are exact. Where the engine
 * multiplies four bytes at a time exactly, integers of 22 bits and a sign, in three bytes: 4 instructions for 16 weights. Elsewhere
 * of 19 bits and a sign: 15 and a sign times weights of 16 bits, the even and the odd columns of four apart, and the lowest 4, rounded
 * to nearest, times bytes: 9 instructions.
 */
import { PAIRS, UNSIGNED_QUADS } from '../src/layout';
import { int, ptr } from './args';
import { BLOCK_BYTES, byteOffset, evenHalves, oddHalves, products } from './panels';
import { halfMask, loadPart, madd, min, two13, upperHalves, zeroWords } from './simd';
import { blocksOf, INT8, INT8_BLOCK } from './widen';

/** Bits of a lower part of x, and how many columns' products with bytes, in two sums, fit in 16 bits. */
const LOW_BITS: i32 = 4;
const LOW_COLUMNS: i32 = 32;

/** Bytes of a prepared row of x. */
@inline export function preparedBytes(k: i32): usize {
  return <usize>blocksOf(k) * INT8_BLOCK << 2;
}

/** Stores the unit in which the largest of `count` elements of x is `steps`, or NaN if one is NaN or infinite; returns its inverse, or 0. */
@inline function chooseUnit(steps: f32, x: usize, count: i32, unitAt: usize): v128 {
  let sizes = f32x4.splat(0);
  // The bits of floats without their sign have the order of the floats; infinities and NaN are the largest.
  for (let i = 0; i < count; i += 4) sizes = i32x4.max_u(sizes, f32x4.abs(loadPart(x + (<usize>i << 2), count - i)));
  const bits = max<u32>(
    max<u32>(i32x4.extract_lane(sizes, 0), i32x4.extract_lane(sizes, 1)),
    max<u32>(i32x4.extract_lane(sizes, 2), i32x4.extract_lane(sizes, 3)),
  );
  const sane = bits < 0x7f800000;
  // So that the inverse is finite.
  const largest = max<f32>(reinterpret<f32>(bits), 1e-30);
  store<f32>(unitAt, sane ? largest / steps : NaN);
  return f32x4.splat(sane ? steps / largest : 0);
}

@inline function toIntegers(x: v128, scale: v128): v128 {
  return i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(x, scale)));
}

/**
 * x in LOW_BITS + 15 bits and a sign, in a unit for each block: of each four columns two upper parts, of the even ones, two of the odd
 * ones, four lower parts, in signed bytes, and a word: in the first two of a block what the offset of the weights adds to the sum of
 * the upper, of the lower parts, so that sums start from that; in the fourth the unit.
 */
function prepareWords(x: usize, k: i32, to: usize): void {
  const offset = -byteOffset();
  const half = i32x4.splat(1 << LOW_BITS - 1);
  for (let block = 0; block < k; block += INT8_BLOCK) {
    const count = min(INT8_BLOCK, k - block);
    let first = i32x4.splat(0), second = first;
    const scale = chooseUnit(<f32>((1 << 15 + LOW_BITS) - (1 << LOW_BITS)), x, count, to + 60);
    for (let i = 0; i < INT8_BLOCK; i += 4) {
      const at = to + (<usize>i << 2);
      const value = i < count ? toIntegers(loadPart(x + (<usize>i << 2), count - i), scale) : i32x4.splat(0);
      const upper = i32x4.shr_s(i32x4.add(value, half), LOW_BITS);
      const lower = i32x4.sub(value, i32x4.shl(upper, LOW_BITS));
      const words = i16x8.narrow_i32x4_s(upper, lower);
      const bytes = i8x16.narrow_i16x8_s(words, words);
      v128.store64_lane(at, v128.shuffle<i16>(words, words, 0, 2, 1, 3, 0, 2, 1, 3), 0);
      v128.store32_lane(at, bytes, 1, 8);
      first = i32x4.add(first, upper);
      second = i32x4.add(second, lower);
    }
    store<i32>(to, offset * total(first), 12);
    store<i32>(to, offset * total(second), 28);
    x += 4 * INT8_BLOCK;
    to += 4 * INT8_BLOCK;
  }
}

/**
 * x in 22 bits and a sign: of each four columns four lowest bytes, four middle ones, four highest ones, all signed, and a word, as
 * above: in the first three of a block what the offset of the weights adds; in the fourth the unit.
 */
function prepareQuads(x: usize, k: i32, to: usize): void {
  const offset = -byteOffset();
  for (let block = 0; block < k; block += INT8_BLOCK) {
    const count = min(INT8_BLOCK, k - block);
    let first = i32x4.splat(0), second = first, third = first;
    const scale = chooseUnit(<f32>((1 << 22) - 1), x, count, to + 60);
    for (let i = 0; i < INT8_BLOCK; i += 4) {
      const at = to + (<usize>i << 2);
      const value = i < count ? toIntegers(loadPart(x + (<usize>i << 2), count - i), scale) : i32x4.splat(0);
      const a = i32x4.shr_s(i32x4.shl(value, 24), 24);
      const rest = i32x4.shr_s(i32x4.sub(value, a), 8);
      const b = i32x4.shr_s(i32x4.shl(rest, 24), 24);
      const c = i32x4.shr_s(i32x4.sub(rest, b), 8);
      const bytes = i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, c));
      v128.store64_lane(at, bytes, 0);
      v128.store32_lane(at, bytes, 2, 8);
      first = i32x4.add(first, a);
      second = i32x4.add(second, b);
      third = i32x4.add(third, c);
    }
    store<i32>(to, offset * total(first), 12);
    store<i32>(to, offset * total(second), 28);
    store<i32>(to, offset * total(third), 44);
    x += 4 * INT8_BLOCK;
    to += 4 * INT8_BLOCK;
  }
}

function total(v: v128): i32 {
  return i32x4.extract_lane(v, 0) + i32x4.extract_lane(v, 1) + i32x4.extract_lane(v, 2) + i32x4.extract_lane(v, 3);
}

/**
 * 0 x, 1 prepared, 2 kind of the weights, 3 M, 4 K, 5 how many elements x's rows are apart, 6 columns of a piece, whole blocks of int8.
 */
export function prepareX(piece: i32, scratch: usize): void {
  const k = int(4);
  const first = piece * int(6);
  const at = <usize>first << 2;
  const count = min(int(6), k - first);
  const factor = f32x4.splat(1.8446744073709552e19);
  for (let row = 0, m = int(3); row < m; row++) {
    const x = ptr(0) + (<usize>row * int(5) << 2) + at;
    const to = ptr(1) + <usize>row * preparedBytes(k) + at;
    if (int(2) == INT8) {
      if (products() < UNSIGNED_QUADS) prepareWords(x, count, to);
      else prepareQuads(x, count, to);
    } else {
      for (let i = 0; i < count; i += 4) {
        v128.store(to + (<usize>i << 2), f32x4.mul(loadPart(x + (<usize>i << 2), count - i), factor));
      }
    }
  }
}

/**
 * The eight rows of a panel of halves times one row of x. Eight sums, or each would wait for itself; in two halves of a turn with a
 * branch between them, or V8 of Node 20 moves all loads to the front and has too few registers.
 */
@inline function panelHalves(f16: bool, x: usize, k: i32, w: usize, out: usize, factor: f32): void {
  const mask = f16 ? halfMask() : upperHalves();
  const shift = two13();
  let a0 = f32x4.splat(0), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0;
  const end = x + (<usize>k << 2);
  const whole = x + (<usize>(k & ~1) << 2);
  while (x < whole) {
    let value = v128.load32_splat(x);
    let v = v128.load(w);
    a0 = madd(evenHalves(f16, v, shift, mask), value, a0);
    a1 = madd(oddHalves(f16, v, mask), value, a1);
    value = v128.load32_splat(x, 4);
    v = v128.load(w, 16);
    b0 = madd(evenHalves(f16, v, shift, mask), value, b0);
    b1 = madd(oddHalves(f16, v, mask), value, b1);
    x += 8;
    w += 32;
    if (x >= whole) break;
    value = v128.load32_splat(x);
    v = v128.load(w);
    c0 = madd(evenHalves(f16, v, shift, mask), value, c0);
    c1 = madd(oddHalves(f16, v, mask), value, c1);
    value = v128.load32_splat(x, 4);
    v = v128.load(w, 16);
    d0 = madd(evenHalves(f16, v, shift, mask), value, d0);
    d1 = madd(oddHalves(f16, v, mask), value, d1);
    x += 8;
    w += 32;
  }
  if (x < end) {
    const value = v128.load32_splat(x);
    const v = v128.load(w);
    a0 = madd(evenHalves(f16, v, shift, mask), value, a0);
    a1 = madd(oddHalves(f16, v, mask), value, a1);
  }
  const scale = f32x4.splat(factor);
  v128.store(out, f32x4.mul(f32x4.add(f32x4.add(a0, b0), f32x4.add(c0, d0)), scale));
  v128.store(out, f32x4.mul(f32x4.add(f32x4.add(a1, b1), f32x4.add(c1, d1)), scale), 16);
}

export function panelF16(x: usize, k: i32, w: usize, out: usize): void {
  panelHalves(true, x, k, w, out, 281474976710656.0);
}

export function panelBf16(x: usize, k: i32, w: usize, out: usize): void {
  panelHalves(false, x, k, w, out, 1);
}

/** high base + low, times the scales, added to what is at `out`. */
@inline function addScaled(high: v128, base: v128, low: v128, scales: v128, out: usize): void {
  const sum = madd(f32x4.convert_i32x4_s(high), base, f32x4.convert_i32x4_s(low));
  v128.store(out, madd(sum, scales, v128.load(out)));
}

/** The sixteen rows of a panel of int8 times one row of prepared x. */
export function panelInt8(x: usize, k: i32, w: usize, out: usize): void {
  zeroWords(out, 64);
  if (products() >= UNSIGNED_QUADS) panelQuads(x, k, w, out);
  else if (products() == PAIRS) panelPairs(x, k, w, out);
  else panelWords(x, k, w, out);
}

/** Four rows of four columns times upper parts of x, added to `sum`. */
@inline function addUpper(sum: v128, v: v128, mask: v128, even: v128, odd: v128): v128 {
  sum = i32x4.add(sum, i32x4.dot_i16x8_s(v128.and(v, mask), even));
  return i32x4.add(sum, i32x4.dot_i16x8_s(i16x8.shr_u(v, 8), odd));
}

/**
 * Products of 16 bits, and of bytes for the lower parts. The conditions in the middle of a turn never hold: across a branch V8 (of
 * Node 20) does not move loads to the front, and what it needs at a time is just the registers that there are.
 */
export function panelPairs(x: usize, k: i32, w: usize, out: usize): void {
  if (!ASC_FEATURE_RELAXED_SIMD) return;
  const end = x + (<usize>(k + 3 >> 2) << 4);
  const base = f32x4.splat(<f32>(1 << LOW_BITS));
  const mask = i16x8.splat(255);
  while (x < end) {
    const stop = x + 4 * INT8_BLOCK < end ? x + 4 * INT8_BLOCK : end;
    const a = v128.load32_splat(x, 12);
    let h0 = a, h1 = a, h2 = a, h3 = a;
    let l0 = v128.load32_splat(x, 28), l1 = l0, l2 = l0, l3 = l0;
    let at = x, from = w + 64;
    do {
      let s0 = i16x8.splat(0), s1 = s0, s2 = s0, s3 = s0;
      let turns = min(LOW_COLUMNS >> 2, <i32>(stop - at >> 4));
      do {
        const even = v128.load32_splat(at), odd = v128.load32_splat(at, 4), low = v128.load32_splat(at, 8);
        let v = v128.load(from);
        s0 = i16x8.add(s0, i16x8.relaxed_dot_i8x16_i7x16_s(low, v));
        h0 = addUpper(h0, v, mask, even, odd);
        if (at == end) break;
        v = v128.load(from, 16);
        s1 = i16x8.add(s1, i16x8.relaxed_dot_i8x16_i7x16_s(low, v));
        h1 = addUpper(h1, v, mask, even, odd);
        if (from == x) break;
        v = v128.load(from, 32);
        s2 = i16x8.add(s2, i16x8.relaxed_dot_i8x16_i7x16_s(low, v));
        h2 = addUpper(h2, v, mask, even, odd);
        if (from == w) break;
        v = v128.load(from, 48);
        s3 = i16x8.add(s3, i16x8.relaxed_dot_i8x16_i7x16_s(low, v));
        h3 = addUpper(h3, v, mask, even, odd);
        at += 16;
        from += 64;
      } while (--turns);
      const ones = i16x8.splat(1);
      l0 = i32x4.add(l0, i32x4.dot_i16x8_s(s0, ones));
      l1 = i32x4.add(l1, i32x4.dot_i16x8_s(s1, ones));
      l2 = i32x4.add(l2, i32x4.dot_i16x8_s(s2, ones));
      l3 = i32x4.add(l3, i32x4.dot_i16x8_s(s3, ones));
    } while (at < stop);
    const unit = v128.load32_splat(x, 60);
    addScaled(h0, base, l0, f32x4.mul(v128.load(w), unit), out);
    addScaled(h1, base, l1, f32x4.mul(v128.load(w, 16), unit), out + 16);
    addScaled(h2, base, l2, f32x4.mul(v128.load(w, 32), unit), out + 32);
    addScaled(h3, base, l3, f32x4.mul(v128.load(w, 48), unit), out + 48);
    x = stop;
    w += BLOCK_BYTES;
  }
}

/** Products of 16 bits only: four rows at a time, for want of registers. */
export function panelWords(x: usize, k: i32, w: usize, out: usize): void {
  const bytes = <usize>(k + 3 >> 2) << 4;
  const base = f32x4.splat(<f32>(1 << LOW_BITS));
  const mask = i16x8.splat(255);
  for (let at: usize = 0; at < bytes; at += 4 * INT8_BLOCK) {
    const block = x + at;
    const stop = at + 4 * INT8_BLOCK < bytes ? block + 4 * INT8_BLOCK : x + bytes;
    for (let g: usize = 0; g < 64; g += 16) {
      let high = v128.load32_splat(block, 12), low = v128.load32_splat(block, 28);
      let from = w + 64 + g;
      for (let to = block; to < stop; to += 16) {
        const v = v128.load(from);
        const lower = v128.load32_splat(to, 8);
        const even = v128.and(v, mask), odd = i16x8.shr_u(v, 8);
        high = i32x4.add(high, i32x4.dot_i16x8_s(even, v128.load32_splat(to)));
        high = i32x4.add(high, i32x4.dot_i16x8_s(odd, v128.load32_splat(to, 4)));
        low = i32x4.add(low, i32x4.dot_i16x8_s(even, i16x8.shr_s(i16x8.shl(lower, 8), 8)));
        low = i32x4.add(low, i32x4.dot_i16x8_s(odd, i16x8.shr_s(lower, 8)));
        from += 64;
      }
      addScaled(high, base, low, f32x4.mul(v128.load(w + g), v128.load32_splat(block, 60)), out + g);
    }
    w += BLOCK_BYTES;
  }
}

/**
 * Products of bytes. Twelve sums, two parts of x and a weight are all registers that V8 has: the third part comes when the others are
 * through, and reads the weights again, by a pointer of their own, or they would be kept.
 */
export function panelQuads(x: usize, k: i32, w: usize, out: usize): void {
  if (!ASC_FEATURE_RELAXED_SIMD) return;
  const end = x + (<usize>(k + 3 >> 2) << 4);
  const base = f32x4.splat(256);
  while (x < end) {
    const scales = w;
    w += 64;
    let again = scales + 48;
    const a = v128.load32_splat(x, 12), b = v128.load32_splat(x, 28), c = v128.load32_splat(x, 44);
    let a0 = a, a1 = a, a2 = a, a3 = a, b0 = b, b1 = b, b2 = b, b3 = b, c0 = c, c1 = c, c2 = c, c3 = c;
    const unit = v128.load32_splat(x, 60);
    const stop = x + 4 * INT8_BLOCK < end ? x + 4 * INT8_BLOCK : end;
    do {
      const low = v128.load32_splat(x), middle = v128.load32_splat(x, 4);
      let v = v128.load(w);
      a0 = i32x4.relaxed_dot_i8x16_i7x16_add_s(low, v, a0);
      b0 = i32x4.relaxed_dot_i8x16_i7x16_add_s(middle, v, b0);
      v = v128.load(w, 16);
      a1 = i32x4.relaxed_dot_i8x16_i7x16_add_s(low, v, a1);
      b1 = i32x4.relaxed_dot_i8x16_i7x16_add_s(middle, v, b1);
      v = v128.load(w, 32);
      a2 = i32x4.relaxed_dot_i8x16_i7x16_add_s(low, v, a2);
      b2 = i32x4.relaxed_dot_i8x16_i7x16_add_s(middle, v, b2);
      v = v128.load(w, 48);
      a3 = i32x4.relaxed_dot_i8x16_i7x16_add_s(low, v, a3);
      b3 = i32x4.relaxed_dot_i8x16_i7x16_add_s(middle, v, b3);
      const high = v128.load32_splat(x, 8);
      c0 = i32x4.relaxed_dot_i8x16_i7x16_add_s(high, v128.load(again, 16), c0);
      c1 = i32x4.relaxed_dot_i8x16_i7x16_add_s(high, v128.load(again, 32), c1);
      c2 = i32x4.relaxed_dot_i8x16_i7x16_add_s(high, v128.load(again, 48), c2);
      c3 = i32x4.relaxed_dot_i8x16_i7x16_add_s(high, v128.load(again, 64), c3);
      x += 16;
      w += 64;
      again += 64;
    } while (x < stop);
    addScaled(i32x4.add(b0, i32x4.shl(c0, 8)), base, a0, f32x4.mul(v128.load(scales), unit), out);
    addScaled(i32x4.add(b1, i32x4.shl(c1, 8)), base, a1, f32x4.mul(v128.load(scales, 16), unit), out + 16);
    addScaled(i32x4.add(b2, i32x4.shl(c2, 8)), base, a2, f32x4.mul(v128.load(scales, 32), unit), out + 32);
    addScaled(i32x4.add(b3, i32x4.shl(c3, 8)), base, a3, f32x4.mul(v128.load(scales, 48), unit), out + 48);
  }
}
