/*
 * Weights [N, K] as the products read them: in panels of 8 rows (int8: 16), whose elements lie in the order of their columns, so that
 * whatever reads a panel reads one stream, with the rows in the lanes, and loads each element of x once for all of them.
 *
 *   f32        [N/8][K][8]
 *   f16, bf16  [N/8][K][4][2]: row r of a panel beside row r + 4, in the two halves of a 32-bit lane
 *   int8       [N/16][K/64] blocks: the scales [16], then [16][16][4], four columns of a row side by side, each plus 128 (or 0:
 *              `initProducts`)
 *
 * Rows past N are zero; columns past K of int8 are whatever was there: x is zero in them.
 */
import { PAIRS, PRODUCTS, SIGNED_QUADS, UNSIGNED_QUADS, WORDS } from '../src/layout';
import { int, ptr } from './args';
import { min, storeTransposed, zeroWords } from './simd';
import { blocksOf, F16, F32, INT8, INT8_BLOCK } from './widen';

/** Bytes of a whole block of int8. */
export const BLOCK_BYTES: i32 = 64 + 16 * INT8_BLOCK;

@inline export function panelRows(kind: i32): i32 {
  return kind == INT8 ? 16 : 8;
}

@inline export function panelBytes(kind: i32, k: i32): usize {
  if (kind == F32) return <usize>k << 5;
  return kind == INT8 ? (<usize>blocksOf(k) << 6) + (<usize>(k + 3 >> 2) << 6) : <usize>k << 4;
}

/** Where the block of column `column` is in a panel of int8. */
@inline export function blockOffset(column: i32): usize {
  return <usize>(<u32>column / INT8_BLOCK) * BLOCK_BYTES;
}

/**
 * Finds out what the engine makes of relaxed products of bytes whose second operand has more than the seven bits that are specified.
 * With four of them in a sum of 32 bits it may be exact, one instruction of the processor (VNNI, DOTPROD): that takes the second
 * operand as unsigned, or as signed. Elsewhere such sums saturate, but two of them in a sum of 16 bits (an instruction of x86-64,
 * second operand unsigned) are exact while they are small.
 */
export function initProducts(): void {
  let products = WORDS;
  if (ASC_FEATURE_RELAXED_SIMD) {
    // From memory, or the compiler works it out as it would be by the specification.
    store<i32>(PRODUCTS, -1);
    const bytes = v128.load32_splat(PRODUCTS);
    const two = i16x8.relaxed_dot_i8x16_i7x16_s(i8x16.splat(-8), bytes);
    if (i16x8.all_true(i16x8.eq(two, i16x8.splat(2 * -8 * 255)))) products = PAIRS;
    const four = i32x4.relaxed_dot_i8x16_i7x16_add_s(i8x16.splat(-128), bytes, i32x4.splat(0));
    if (i32x4.all_true(i32x4.eq(four, i32x4.splat(4 * -128 * 255)))) products = UNSIGNED_QUADS;
    if (i32x4.all_true(i32x4.eq(four, i32x4.splat(4 * 128)))) products = SIGNED_QUADS;
  }
  store<i32>(PRODUCTS, products);
}

/** One of WORDS, PAIRS, UNSIGNED_QUADS, SIGNED_QUADS. */
@inline export function products(): i32 {
  return load<i32>(PRODUCTS);
}

/** What is added to a weight's bytes in panels. */
@inline export function byteOffset(): i32 {
  return products() == SIGNED_QUADS ? 0 : 128;
}

/** Where row 0 of a block has its column `column`. Row r is 4 r bytes further on. */
@inline function inBlock(column: i32): usize {
  const within = column & INT8_BLOCK - 1;
  return 64 + (<usize>(within >> 2) << 6) + (within & 3);
}

/** Four rows at `row`, 4 * count bytes long, side by side: [count] of them, `outStride` bytes apart. */
@inline export function packFour(row: usize, stride: usize, count: i32, out: usize, outStride: usize): void {
  const r1 = row + stride;
  const r2 = r1 + stride;
  const r3 = r2 + stride;
  let k = 0;
  for (; k + 4 <= count; k += 4) {
    const at = <usize>k << 2;
    storeTransposed(
      v128.load(row + at), v128.load(r1 + at), v128.load(r2 + at), v128.load(r3 + at),
      out, outStride,
    );
    out += 4 * outStride;
  }
  for (; k < count; k++) {
    const at = <usize>k << 2;
    store<f32>(out, load<f32>(row + at));
    store<f32>(out, load<f32>(r1 + at), 4);
    store<f32>(out, load<f32>(r2 + at), 8);
    store<f32>(out, load<f32>(r3 + at), 12);
    out += outStride;
  }
}

/**
 * Brings a weight from row order into panels, or back.
 * 0 from, 1 its scales, 2 to, 3 its scales (those of int8 in row order), 4 kind, 5 N, 6 K, 7 whether into panels. A piece: a panel.
 */
export function arrange(piece: i32, scratch: usize): void {
  const kind = int(4);
  const k = int(6);
  const height = panelRows(kind);
  const first = piece * height;
  const rows = min(height, int(5) - first);
  const bytes = panelBytes(kind, k);
  const into = int(7) != 0;
  const panel = ptr(into ? 2 : 0) + <usize>piece * bytes;
  const plain = ptr(into ? 0 : 2) + (<usize>first * k << (kind == F32 ? 2 : kind == INT8 ? 0 : 1));
  if (into && rows < height) zeroWords(panel, bytes);
  if (kind == F32) {
    if (into && rows == height) {
      packFour(plain, <usize>k << 2, k, panel, 32);
      packFour(plain + (<usize>k << 4), <usize>k << 2, k, panel + 16, 32);
      return;
    }
    for (let r = 0; r < rows; r++) move<f32>(into, panel + (r << 2), 32, plain + (<usize>r * k << 2), k);
  } else if (kind == INT8) {
    const blocks = blocksOf(k);
    const flip = <u8>byteOffset();
    const scales = ptr(into ? 1 : 3) + (<usize>(first * blocks) << 2);
    for (let r = 0; r < rows; r++) {
      move<f32>(into, panel + (r << 2), BLOCK_BYTES, scales + (<usize>(r * blocks) << 2), blocks);
      const row = plain + <usize>r * k;
      for (let c = 0; c < k; c++) {
        const at = panel + blockOffset(c) + inBlock(c) + (r << 2);
        if (into) store<u8>(at, load<u8>(row + c) ^ flip);
        else store<u8>(row + c, load<u8>(at) ^ flip);
      }
    }
  } else {
    for (let r = 0; r < rows; r++) move<u16>(into, panel + halfOffset(r), 16, plain + (<usize>r * k << 1), k);
  }
}

/** Where a panel of halves has its row `r`. */
@inline function halfOffset(r: i32): usize {
  return (r & 3) << 2 | r >> 2 << 1;
}

/** `count` elements of a row, `stride` bytes apart at `panel`. */
@inline function move<T>(into: bool, panel: usize, stride: usize, plain: usize, count: i32): void {
  for (let i = 0; i < count; i++) {
    if (into) store<T>(panel, load<T>(plain));
    else store<T>(plain, load<T>(panel));
    panel += stride;
    plain += sizeof<T>();
  }
}

/** One row of a weight that is in panels, to f32 at `out`. */
export function unpackRow(kind: i32, base: usize, k: i32, row: i32, out: usize): void {
  const height = panelRows(kind);
  const panel = base + <usize>(row / height) * panelBytes(kind, k);
  const r = row % height;
  if (kind == F32) {
    for (let c = 0; c < k; c++) store<f32>(out + (c << 2), load<f32>(panel + (<usize>c << 5) + (r << 2)));
  } else if (kind == INT8) {
    const flip = <u8>byteOffset();
    for (let c = 0; c < k; c++) {
      const block = panel + blockOffset(c);
      const value = <i8>(load<u8>(block + inBlock(c) + (r << 2)) ^ flip);
      store<f32>(out + (c << 2), <f32>value * load<f32>(block + (r << 2)));
    }
  } else {
    const at = panel + halfOffset(r);
    for (let c = 0; c < k; c++) {
      const bits = <i32>load<i16>(at + (<usize>c << 4));
      const value: f32 = kind == F16
        ? reinterpret<f32>(bits << 13 & 0x8fffe000) * 5.192296858534828e33
        : reinterpret<f32>(bits << 16);
      store<f32>(out + (c << 2), value);
    }
  }
}

/**
 * The even halves (rows 0 to 3 of a panel) of a vector of f16 times 2^-112, or of bf16. `factor`: `two13`; `mask`: `halfMask`,
 * `upperHalves`. One multiplication by 2^13 moves the signed half to where a float has its exponent and mantissa, with its sign in the
 * four bits above, of which the mask leaves the highest.
 */
@inline export function evenHalves(f16: bool, v: v128, factor: v128, mask: v128): v128 {
  return f16 ? v128.and(i32x4.dot_i16x8_s(v, factor), mask) : i32x4.shl(v, 16);
}

/** The odd ones (rows 4 to 7). */
@inline export function oddHalves(f16: bool, v: v128, mask: v128): v128 {
  return v128.and(f16 ? i32x4.shr_s(v, 3) : v, mask);
}
