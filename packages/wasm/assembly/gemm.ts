/*
 * C[M, N] = A[M, K] B[K, N] (+ bias, or + C): the matrix products of `linear` and of its gradients.
 *
 * Micro-kernel: a 5x8 tile of C in ten registers. A step in k loads eight of B and five of A (four as one vector, whose lanes it
 * splats one after another, since V8 puts all loads of a loop first and has fifteen registers) and does ten fused
 * multiply-adds, enough independent chains to hide their latency. (4x8 is a tenth slower, 6x8 spills; so does any tile if the
 * loop is unrolled, since Binaryen merges the steps.)
 *
 * A comes packed in panels [M/5][K][5], by a job of its own, since all pieces share it. Each piece is a block of
 * 64 columns of C and runs down the rows in chunks, BLOCK_K of the depth at a time, so that its part of B and that of A (200 KB
 * each) stay in L2, and one panel of B (24 KB) and one of A (15 KB) mostly in L1. C is written once where K is no larger: with
 * half the depth, products of 2048 rows run a tenth slower. Weights in f32 are read from their panels (panels.ts) as they are;
 * narrow ones are widened, and what is no weight is packed, into panels [8][k][8] of the thread's scratch memory.
 *
 * The order of summation of an element of C depends on K alone.
 */
import { ZEROS } from '../src/layout';
import { int, ptr } from './args';
import { BLOCK_BYTES, blockOffset, byteOffset, evenHalves, oddHalves, packFour, panelBytes } from './panels';
import { halfMask, halfScale, madd, min, storePart, two13, upperHalves } from './simd';
import { F16, F32, INT8, INT8_BLOCK, widen, widenScales } from './widen';

const TILE_M: i32 = 5;
const TILE_N: i32 = 8;
/** Columns of C in a piece. */
const BLOCK_N: i32 = 64;
/** A multiple of 64, so that blocks of int8 are not cut. */
const BLOCK_K: i32 = 768;
/** Rows of C between two looks at another panel of B. */
const BLOCK_M: i32 = 65;
/** Rows of A in a piece of packing. */
const PACK_M: i32 = 60;

/** A panel of five rows at `row`. */
function packFive(row: usize, stride: usize, count: i32, out: usize): void {
  packFour(row, stride, count, out, 20);
  row += 4 * stride;
  for (let k = 0; k < count; k++) store<f32>(out + <usize>(20 * k), load<f32>(row + (k << 2)), 16);
}

/** As `packFive`, with `rows` < 5 rows: the others are zero. */
function packFew(row: usize, stride: usize, rows: i32, count: i32, out: usize): void {
  for (let k = 0; k < count; k++) {
    for (let r = 0; r < TILE_M; r++) {
      store<f32>(out + (r << 2), r < rows ? load<f32>(row + <usize>r * stride + (<usize>k << 2)) : 0);
    }
    out += 20;
  }
}

/**
 * Panels [rows/5][columns][5] of a matrix [rows, columns] whose rows are `ld` apart.
 * 0 source, 1 rows, 2 columns, 3 destination, 4 ld. A piece: 12 panels.
 */
export function packRows(piece: i32, scratch: usize): void {
  const rows = int(1);
  const columns = int(2);
  const stride = <usize>int(4) << 2;
  const end = min(rows, (piece + 1) * PACK_M);
  for (let row = piece * PACK_M; row < end; row += TILE_M) {
    const from = ptr(0) + <usize>row * stride;
    const to = ptr(3) + (<usize>row * columns << 2);
    if (end - row >= TILE_M) packFive(from, stride, columns, to);
    else packFew(from, stride, end - row, columns, to);
  }
}

/**
 * Panels [columns/5][rows][5] of a matrix [rows, columns] whose rows are `ld` apart: those of its transpose.
 * 0 source, 1 rows, 2 columns, 3 destination, 4 ld. A piece: 12 panels.
 */
export function packColumns(piece: i32, scratch: usize): void {
  const rows = int(1);
  const columns = int(2);
  const first = piece * PACK_M;
  const end = min(columns, first + PACK_M);
  const panel = <usize>rows * 20;
  for (let row = 0; row < rows; row++) {
    let from = ptr(0) + (<usize>row * int(4) + first << 2);
    let to = ptr(3) + (<usize>first * rows << 2) + <usize>row * 20;
    for (let column = first; column < end; column += TILE_M) {
      const left = end - column;
      if (left >= TILE_M) {
        v128.store(to, v128.load(from));
        store<f32>(to, load<f32>(from, 16), 16);
      } else {
        for (let c = 0; c < TILE_M; c++) store<f32>(to + (c << 2), c < left ? load<f32>(from + (c << 2)) : 0);
      }
      from += 20;
      to += panel;
    }
  }
}

/** Columns k0... of the panels of a narrow weight that begin with row n0, for `n` rows, to panels of f32. */
function widenPanels(
  kind: i32, b: usize, columns: i32, n0: i32, n: i32, k0: i32, k: i32, out: usize,
): void {
  const panel = <usize>k << 5;
  if (kind == INT8) {
    for (let row = n0; row < n0 + n; row += 16) {
      const from = b + <usize>(row >> 4) * panelBytes(kind, columns) + blockOffset(k0);
      for (let g = 0; g < 4; g++) {
        const to = out + <usize>(g >> 1) * panel + ((g & 1) << 4);
        widenInt8(from + (g << 4), from + 64 + (g << 4), k, to);
      }
      out += 2 * panel;
    }
    return;
  }
  const f16 = kind == F16;
  const mask = f16 ? halfMask() : upperHalves();
  const shift = two13();
  const factor = f16 ? halfScale() : f32x4.splat(1);
  for (let row = n0; row < n0 + n; row += 8) {
    let from = b + <usize>(row >> 3) * (<usize>columns << 4) + (<usize>k0 << 4);
    for (const end = out + panel; out < end; out += 32, from += 16) {
      const v = v128.load(from);
      v128.store(out, f32x4.mul(evenHalves(f16, v, shift, mask), factor));
      v128.store(out, f32x4.mul(oddHalves(f16, v, mask), factor), 16);
    }
  }
}

/** Four rows of a panel of int8, `k` columns from the beginning of a block. */
function widenInt8(scales: usize, from: usize, k: i32, out: usize): void {
  const flip = i8x16.splat(<i8>byteOffset());
  for (let block = 0; block < k; block += INT8_BLOCK) {
    const scale = v128.load(scales);
    for (let i = block, end = min(k, block + INT8_BLOCK); i < end; i += 4) {
      let quad = v128.xor(v128.load(from), flip);
      for (let j = 0, columns = min(4, end - i); j < columns; j++) {
        v128.store(out, f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_s(i32x4.shl(quad, 24), 24)), scale));
        quad = i32x4.shr_u(quad, 8);
        out += 32;
      }
      from += 64;
    }
    from += 64;
    scales += BLOCK_BYTES;
  }
}

/** B[k0.., n0..] from [K, N] into panels. */
function packPlain(
  kind: i32, b: usize, scales: usize, ld: i32, n0: i32, n: i32, k0: i32, k: i32, out: usize, wide: usize,
): void {
  const panel = <usize>k << 5;
  const whole = n & ~7;
  for (let i = 0; i < k; i++) {
    let row = b + (<usize>(k0 + i) * ld + n0 << 2);
    if (kind != F32) {
      widen(kind, b, <usize>(k0 + i) * ld + n0, widenScales(scales, k0 + i, ld, n0), n, wide);
      row = wide;
    }
    let to = out + (<usize>i << 5);
    for (let j = 0; j < whole; j += TILE_N) {
      v128.store(to, v128.load(row));
      v128.store(to, v128.load(row, 16), 16);
      row += 32;
      to += panel;
    }
    if (whole < n) {
      for (let j = 0; j < TILE_N; j++) store<f32>(to + (j << 2), whole + j < n ? load<f32>(row + (j << 2)) : 0);
    }
  }
}

/** One tile: `k` steps from the ten vectors at `init` (rows `initStride` apart) into `c` (rows `stride` apart). */
export function tile(a: usize, b: usize, k: i32, init: usize, initStride: usize, c: usize, stride: usize): void {
  let c00 = v128.load(init), c01 = v128.load(init, 16);
  init += initStride;
  let c10 = v128.load(init), c11 = v128.load(init, 16);
  init += initStride;
  let c20 = v128.load(init), c21 = v128.load(init, 16);
  init += initStride;
  let c30 = v128.load(init), c31 = v128.load(init, 16);
  init += initStride;
  let c40 = v128.load(init), c41 = v128.load(init, 16);
  const end = b + (<usize>k << 5);
  do {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    const four = v128.load(a);
    let x = v128.shuffle<f32>(four, four, 0, 0, 0, 0);
    c00 = madd(x, b0, c00);
    c01 = madd(x, b1, c01);
    x = v128.shuffle<f32>(four, four, 1, 1, 1, 1);
    c10 = madd(x, b0, c10);
    c11 = madd(x, b1, c11);
    x = v128.shuffle<f32>(four, four, 2, 2, 2, 2);
    c20 = madd(x, b0, c20);
    c21 = madd(x, b1, c21);
    x = v128.shuffle<f32>(four, four, 3, 3, 3, 3);
    c30 = madd(x, b0, c30);
    c31 = madd(x, b1, c31);
    x = v128.load32_splat(a, 16);
    c40 = madd(x, b0, c40);
    c41 = madd(x, b1, c41);
    a += 20;
    b += 32;
  } while (b < end);
  v128.store(c, c00);
  v128.store(c, c01, 16);
  c += stride;
  v128.store(c, c10);
  v128.store(c, c11, 16);
  c += stride;
  v128.store(c, c20);
  v128.store(c, c21, 16);
  c += stride;
  v128.store(c, c30);
  v128.store(c, c31, 16);
  c += stride;
  v128.store(c, c40);
  v128.store(c, c41, 16);
}

/** A tile that hangs over the edge of C: through a whole one at `spare`. */
function edgeTile(
  a: usize, b: usize, k: i32, first: bool, bias: usize, c: usize, stride: usize, rows: i32, columns: i32, spare: usize,
): void {
  let init = bias;
  let initStride: usize = 0;
  const left = columns - 4;
  if (!first) {
    for (let r = 0; r < rows; r++) {
      for (let j = 0; j < columns; j++) {
        store<f32>(spare + (r << 5) + (j << 2), load<f32>(c + <usize>r * stride + (j << 2)));
      }
    }
    init = spare;
    initStride = 32;
  }
  tile(a, b, k, init, initStride, spare, 32);
  for (let r = 0; r < rows; r++) {
    storePart(c, v128.load(spare + (r << 5)), min(columns, 4));
    if (left > 0) storePart(c + 16, v128.load(spare + (r << 5), 16), left);
    c += stride;
  }
}

/**
 * 0 packed A, 1 B, 2 scales of B (a matrix of int8), 3 kind of B, 4 whether B is a weight in panels (or a matrix [K, N]), 5 bias or 0, 6 C, 7 M, 8 N, 9 K, 10 rows of C in a piece.
 * Pieces: blocks of columns, within blocks of rows.
 */
export function gemm(piece: i32, scratch: usize): void {
  const m = int(7);
  const n = int(8);
  const k = int(9);
  const blocks = (n + BLOCK_N - 1) / BLOCK_N;
  const m0 = piece / blocks * int(10);
  const mEnd = min(m, m0 + int(10));
  const n0 = piece % blocks * BLOCK_N;
  const width = min(BLOCK_N, n - n0);
  const a = ptr(0);
  const biasAt = ptr(5);
  const bias = biasAt ? biasAt + (n0 << 2) : <usize>ZEROS;
  const biasStep: usize = biasAt ? 32 : 0;
  const stride = <usize>n << 2;
  const packed = scratch;
  const spare = packed + (BLOCK_N * BLOCK_K << 2);
  const wide = spare + 160;
  const inPlace = int(4) && int(3) == F32;
  for (let k0 = 0; k0 < k; k0 += BLOCK_K) {
    const depth = min(BLOCK_K, k - k0);
    const first = k0 == 0;
    if (int(4) && !inPlace) widenPanels(int(3), ptr(1), k, n0, width, k0, depth, packed);
    else if (!inPlace) packPlain(int(3), ptr(1), ptr(2), n, n0, width, k0, depth, packed, wide);
    for (let chunk = m0; chunk < mEnd; chunk += BLOCK_M) {
      const chunkEnd = min(mEnd, chunk + BLOCK_M);
      let panel = inPlace ? ptr(1) + (<usize>n0 * k << 2) + (<usize>k0 << 5) : packed;
      const next = <usize>(inPlace ? k : depth) << 5;
      for (let j = 0; j < width; j += TILE_N) {
        const columns = width - j;
        const biasHere = bias + <usize>(j >> 3) * biasStep;
        for (let i = chunk; i < chunkEnd; i += TILE_M) {
          const at = a + (<usize>i * k + <usize>(TILE_M * k0) << 2);
          const c = ptr(6) + <usize>i * stride + (n0 + j << 2);
          if (columns >= TILE_N && chunkEnd - i >= TILE_M) {
            if (first) tile(at, panel, depth, biasHere, 0, c, stride);
            else tile(at, panel, depth, c, stride, c, stride);
          } else {
            edgeTile(at, panel, depth, first, biasHere, c, stride, min(TILE_M, chunkEnd - i), min(TILE_N, columns), spare);
          }
        }
        panel += next;
      }
    }
  }
}

/** Bytes of scratch memory that `gemm` needs a thread. */
export function gemmScratch(): i32 {
  return (BLOCK_N * BLOCK_K << 2) + 160 + (BLOCK_N << 2) + 64;
}
