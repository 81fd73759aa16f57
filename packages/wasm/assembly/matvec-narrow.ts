/*
 * What `matvec` does with a panel in f16, bf16 or int8. What x must be for that is prepared once (`prepareX`).
 *
 * f16: the bits of a half, moved to where a float has them, are its value times 2^-112: x comes times 2^64 (so that neither
 * overflows) and the sum is scaled by 2^48. bf16 takes x as it is.
 *
 * int8: x comes as integers, in a unit for each block of 64, so that all products and the sums of a block are exact. Where the engine
 * multiplies bytes exactly, integers of 22 bits and a sign, in three bytes: 4 instructions for 16 weights. Elsewhere of 18 bits and a
 * sign: 15 and the sign times weights of 16 bits, two columns at a time, and 3 times bytes, 8 instructions. (15 bits more instead of
 * the 3 are 10 instructions, 14 % slower, for a tenth of the error, 2e-7 of the largest result.)
 */
import { int, ptr } from './args';
import { byteOffset, evenHalves, oddHalves } from './panels';
import { halfMask, loadPart, madd, min, two13, upperHalves, zeroWords } from './simd';
import { blocksOf, INT8, INT8_BLOCK } from './widen';

/** Bits of a lower part of x, and how many columns' products with bytes have a sum that fits in 16 bits. */
const LOW_BITS: i32 = 4;
const LOW_COLUMNS: i32 = 16;

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
 * x in LOW_BITS + 15 bits and a sign, in a unit for each block: of each two columns two upper parts in 16 bits, then the two lower
 * parts, in two bytes twice, or in 16 bits.
 */
function prepareHalves(x: usize, k: i32, to: usize, units: usize): void {
  const low = i32x4.splat((1 << LOW_BITS) - 1);
  for (let block = 0; block < k; block += INT8_BLOCK) {
    const count = min(INT8_BLOCK, k - block);
    const scale = chooseUnit(<f32>((1 << 15 + LOW_BITS) - 1), x, count, units);
    for (let i = 0; i < count; i += 4) {
      const value = toIntegers(loadPart(x + (<usize>i << 2), count - i), scale);
      const lower = v128.and(value, low);
      let parts = i16x8.narrow_i32x4_s(i32x4.shr_s(value, LOW_BITS), lower);
      if (ASC_FEATURE_RELAXED_SIMD) {
        const bytes = i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(lower, lower), i16x8.splat(0));
        parts = v128.shuffle<i16>(parts, bytes, 0, 1, 2, 3, 8, 8, 9, 9);
      }
      v128.store(to + (<usize>i << 2), v128.shuffle<i32>(parts, parts, 0, 2, 1, 3));
    }
    x += 4 * INT8_BLOCK;
    to += 4 * INT8_BLOCK;
    units += 4;
  }
}

/**
 * x in 22 bits and a sign, in a unit for each block: of each four columns four lowest bytes, four middle ones, four highest ones, all
 * signed, and a word: in the first three of a block what the offset of the weights adds to the sum of the lowest, the middle, the
 * highest bytes, so that sums start from that; then the unit.
 */
function prepareBytes(x: usize, k: i32, to: usize): void {
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
 * 0 x, 1 prepared, 2 kind of the weights, 3 M, 4 K, 5 units, 6 how many elements x's rows are apart, 7 columns of a piece, whole blocks
 * of int8.
 */
export function prepareX(piece: i32, scratch: usize): void {
  const k = int(4);
  const first = piece * int(7);
  const at = <usize>first << 2;
  const count = min(int(7), k - first);
  const factor = f32x4.splat(1.8446744073709552e19);
  for (let row = 0, m = int(3); row < m; row++) {
    const x = ptr(0) + (<usize>row * int(6) << 2) + at;
    const to = ptr(1) + <usize>row * preparedBytes(k) + at;
    if (int(2) == INT8) {
      if (byteOffset() < 0) prepareHalves(x, count, to, ptr(5) + (<usize>(row * blocksOf(k) + <u32>first / INT8_BLOCK) << 2));
      else prepareBytes(x, count, to);
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
export function panelInt8(x: usize, k: i32, w: usize, units: usize, out: usize): void {
  zeroWords(out, 64);
  if (byteOffset() < 0) panelPairs(x, k, w, units, out);
  else panelQuads(x, k, w, out);
}

/**
 * Eight rows of two columns, bytes times lower parts of x: within what is specified of the relaxed instruction, which is one of
 * x86-64 too.
 */
@inline function lowDot(v: v128, low: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD
    ? i16x8.relaxed_dot_i8x16_i7x16_s(v, low)
    : i16x8.narrow_i32x4_s(
      i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(v), low), i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_s(v), low),
    );
}

/** Products of 16 bits, and of bytes for the lower parts. */
export function panelPairs(x: usize, k: i32, w: usize, units: usize, out: usize): void {
  const end = x + (<usize>(k + 1 >> 1) << 3);
  const base = f32x4.splat(<f32>(1 << LOW_BITS));
  while (x < end) {
    const scales = w;
    w += 64;
    let h0 = i32x4.splat(0), h1 = h0, h2 = h0, h3 = h0, l0 = h0, l1 = h0, l2 = h0, l3 = h0;
    const blockEnd = x + 4 * INT8_BLOCK < end ? x + 4 * INT8_BLOCK : end;
    do {
      let first = i16x8.splat(0), second = first;
      const stop = x + 4 * LOW_COLUMNS < blockEnd ? x + 4 * LOW_COLUMNS : blockEnd;
      do {
        const high = v128.load32_splat(x), low = v128.load32_splat(x, 4);
        first = i16x8.add(first, lowDot(v128.load(w), low));
        h0 = i32x4.add(h0, i32x4.dot_i16x8_s(v128.load_ext<i8>(w), high));
        h1 = i32x4.add(h1, i32x4.dot_i16x8_s(v128.load_ext<i8>(w, 8), high));
        second = i16x8.add(second, lowDot(v128.load(w, 16), low));
        h2 = i32x4.add(h2, i32x4.dot_i16x8_s(v128.load_ext<i8>(w, 16), high));
        h3 = i32x4.add(h3, i32x4.dot_i16x8_s(v128.load_ext<i8>(w, 24), high));
        x += 8;
        w += 32;
      } while (x < stop);
      l0 = i32x4.add(l0, i32x4.extend_low_i16x8_s(first));
      l1 = i32x4.add(l1, i32x4.extend_high_i16x8_s(first));
      l2 = i32x4.add(l2, i32x4.extend_low_i16x8_s(second));
      l3 = i32x4.add(l3, i32x4.extend_high_i16x8_s(second));
    } while (x < blockEnd);
    const unit = v128.load32_splat(units);
    units += 4;
    addScaled(h0, base, l0, f32x4.mul(v128.load(scales), unit), out);
    addScaled(h1, base, l1, f32x4.mul(v128.load(scales, 16), unit), out + 16);
    addScaled(h2, base, l2, f32x4.mul(v128.load(scales, 32), unit), out + 32);
    addScaled(h3, base, l3, f32x4.mul(v128.load(scales, 48), unit), out + 48);
  }
}

/** Products of bytes, exact ones: `byteOffset`. */
export function panelQuads(x: usize, k: i32, w: usize, out: usize): void {
  if (!ASC_FEATURE_RELAXED_SIMD) return;
  const end = x + (<usize>(k + 3 >> 2) << 4);
  const base = f32x4.splat(256);
  while (x < end) {
    const scales = w;
    w += 64;
    const a = v128.load32_splat(x, 12), b = v128.load32_splat(x, 28), c = v128.load32_splat(x, 44);
    let a0 = a, a1 = a, a2 = a, a3 = a, b0 = b, b1 = b, b2 = b, b3 = b, c0 = c, c1 = c, c2 = c, c3 = c;
    const unit = v128.load32_splat(x, 60);
    const stop = x + 4 * INT8_BLOCK < end ? x + 4 * INT8_BLOCK : end;
    do {
      const low = v128.load32_splat(x), middle = v128.load32_splat(x, 4), high = v128.load32_splat(x, 8);
      let v = v128.load(w);
      a0 = i32x4.relaxed_dot_i8x16_i7x16_add_s(low, v, a0);
      b0 = i32x4.relaxed_dot_i8x16_i7x16_add_s(middle, v, b0);
      c0 = i32x4.relaxed_dot_i8x16_i7x16_add_s(high, v, c0);
      v = v128.load(w, 16);
      a1 = i32x4.relaxed_dot_i8x16_i7x16_add_s(low, v, a1);
      b1 = i32x4.relaxed_dot_i8x16_i7x16_add_s(middle, v, b1);
      c1 = i32x4.relaxed_dot_i8x16_i7x16_add_s(high, v, c1);
      v = v128.load(w, 32);
      a2 = i32x4.relaxed_dot_i8x16_i7x16_add_s(low, v, a2);
      b2 = i32x4.relaxed_dot_i8x16_i7x16_add_s(middle, v, b2);
      c2 = i32x4.relaxed_dot_i8x16_i7x16_add_s(high, v, c2);
      v = v128.load(w, 48);
      a3 = i32x4.relaxed_dot_i8x16_i7x16_add_s(low, v, a3);
      b3 = i32x4.relaxed_dot_i8x16_i7x16_add_s(middle, v, b3);
      c3 = i32x4.relaxed_dot_i8x16_i7x16_add_s(high, v, c3);
      x += 16;
      w += 64;
    } while (x < stop);
    addScaled(i32x4.add(b0, i32x4.shl(c0, 8)), base, a0, f32x4.mul(v128.load(scales), unit), out);
    addScaled(i32x4.add(b1, i32x4.shl(c1, 8)), base, a1, f32x4.mul(v128.load(scales, 16), unit), out + 16);
    addScaled(i32x4.add(b2, i32x4.shl(c2, 8)), base, a2, f32x4.mul(v128.load(scales, 32), unit), out + 32);
    addScaled(i32x4.add(b3, i32x4.shl(c3, 8)), base, a3, f32x4.mul(v128.load(scales, 48), unit), out + 48);
  }
}
