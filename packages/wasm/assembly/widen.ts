/*
 * Weights in f16, bf16 and int8, widened to f32 in registers.
 *
 * f16: the bits of a half, moved to where a float has its exponent and mantissa, are the half's value times 2^-112,
 * subnormals included. Infinities and NaN would come out wrong: the backend keeps a tensor that has any in f32.
 * bf16: the upper half of a float. int8: blocks of 64 along the row, a scale each.
 */
import { halfScale } from './simd';

export const F32: i32 = 0;
export const F16: i32 = 1;
export const BF16: i32 = 2;
export const INT8: i32 = 3;

/** Columns that share a scale (INT8_BLOCK of @mamba-ts/backend). */
export const INT8_BLOCK: i32 = 64;

/** Blocks of a row of `k` columns. */
@inline export function blocksOf(k: i32): i32 {
  return <u32>(k + INT8_BLOCK - 1) / INT8_BLOCK;
}

/** Address of the scale of column `column` (the first of its block) in row `row`. */
@inline export function widenScales(scales: usize, row: i32, columns: i32, column: i32): usize {
  return scales + (<usize>row * blocksOf(columns) + <u32>column / INT8_BLOCK << 2);
}

/** Four halves at `address`. */
@inline export function load4F16(address: usize): v128 {
  const bits = v128.and(i32x4.shl(v128.load_ext<i16>(address), 13), i32x4.splat(0x8fffffff));
  return f32x4.mul(bits, halfScale());
}

@inline export function load4Bf16(address: usize): v128 {
  return i32x4.shl(v128.load_ext<u16>(address), 16);
}

/** Four int8, not yet scaled. */
@inline export function load4Int8(address: usize): v128 {
  return f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(v128.load32_zero(address))));
}

/** `count` elements from element `index` to f32 at `out`; reads and writes up to the next multiple of four. */
export function widen(kind: i32, base: usize, index: usize, scales: usize, count: i32, out: usize): void {
  const end = out + (<usize>count << 2);
  if (kind == F16) {
    for (let from = base + (index << 1); out < end; out += 16, from += 8) v128.store(out, load4F16(from));
  } else if (kind == BF16) {
    for (let from = base + (index << 1); out < end; out += 16, from += 8) v128.store(out, load4Bf16(from));
  } else {
    for (let from = base + index; out < end; scales += 4) {
      const scale = v128.load32_splat(scales);
      for (let i = 0; i < INT8_BLOCK && out < end; i += 4, out += 16, from += 4) {
        v128.store(out, f32x4.mul(load4Int8(from), scale));
      }
    }
  }
}
