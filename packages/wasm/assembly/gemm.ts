/*
 * C[M, N] = A[M, K] B[K, N] (+ bias, or + C): the matrix products of `linear` and of its gradients.
 *
 * Micro-kernel: a 4x8 tile of C in eight registers; a step in k loads eight of B, splats four of A, and does eight
 * fused multiply-adds, which are just enough independent chains to hide their latency. (6x8 is no faster where V8 keeps
 * it in registers, and half as fast in Node 20, which spills it.) The loop is not unrolled: Binaryen would merge the
 * steps and V8 would spill.
 *
 * A comes packed in panels [M/4][K][4], by a job of its own, since all pieces share it. Each piece is a block of
 * 64 columns of C: it packs its part of B, BLOCK_K at a time, into panels [8][k][8] of its thread's scratch memory (96 KB, L2),
 * widening f16, bf16 and int8 on the way, and runs down the rows in chunks whose part of A stays in L2 too, so that one
 * panel of B (12 KB) and one of A (6 KB) are in L1 at a time. Weights are read from memory once.
 *
 * The order of summation of an element of C depends on K alone.
 */
import { ZEROS } from '../src/layout';
import { int, ptr } from './args';
import { madd, min, storePart, storeTransposed } from './simd';
import { F32, widen, widenScales } from './widen';

const TILE_M: i32 = 4;
const TILE_N: i32 = 8;
/** Columns of C in a piece. */
const BLOCK_N: i32 = 64;
/** A multiple of 32, so that blocks of int8 are not cut. */
const BLOCK_K: i32 = 384;
/** Rows of C between two looks at another panel of B. */
const BLOCK_M: i32 = 128;

/** Four columns of a panel, from four rows of the source at `row`, 4 * count long. */
@inline function packFour(row: usize, stride: usize, count: i32, out: usize, outStride: usize): void {
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

/** As `packFour`, with `rows` < 4 rows: the others are zero. */
function packFew(row: usize, stride: usize, rows: i32, count: i32, out: usize, outStride: usize): void {
  for (let k = 0; k < count; k++) {
    for (let r = 0; r < 4; r++) {
      store<f32>(out + (r << 2), r < rows ? load<f32>(row + <usize>r * stride + (<usize>k << 2)) : 0);
    }
    out += outStride;
  }
}

/**
 * Panels [rows/4][columns][4] of a matrix [rows, columns] whose rows are `ld` apart.
 * 0 source, 1 rows, 2 columns, 3 destination, 4 ld. A piece: 16 panels.
 */
export function packRows(piece: i32, scratch: usize): void {
  const rows = int(1);
  const columns = int(2);
  const stride = <usize>int(4) << 2;
  const end = min(rows, (piece + 1) << 6);
  for (let row = piece << 6; row < end; row += TILE_M) {
    const from = ptr(0) + <usize>row * stride;
    const to = ptr(3) + (<usize>row * columns << 2);
    if (end - row >= TILE_M) packFour(from, stride, columns, to, 16);
    else packFew(from, stride, end - row, columns, to, 16);
  }
}

/**
 * Panels [columns/4][rows][4] of a matrix [rows, columns] whose rows are `ld` apart: those of its transpose.
 * 0 source, 1 rows, 2 columns, 3 destination, 4 ld. A piece: 16 panels.
 */
export function packColumns(piece: i32, scratch: usize): void {
  const rows = int(1);
  const columns = int(2);
  const first = piece << 6;
  const end = min(columns, first + 64);
  const whole = first + ((end - first) & ~3);
  const panel = <usize>rows << 4;
  for (let row = 0; row < rows; row++) {
    let from = ptr(0) + (<usize>row * int(4) + first << 2);
    let to = ptr(3) + <usize>(first >> 2) * panel + (<usize>row << 4);
    for (let column = first; column < whole; column += 4) {
      v128.store(to, v128.load(from));
      from += 16;
      to += panel;
    }
    if (whole < end) {
      for (let c = 0; c < 4; c++) store<f32>(to + (c << 2), whole + c < end ? load<f32>(from + (c << 2)) : 0);
    }
  }
}

/** B[k0.., n0..] from [N, K] (a weight) into panels; `wide` has room for the widened rows. */
function packTransposed(
  kind: i32, b: usize, scales: usize, ld: i32, n0: i32, n: i32, k0: i32, k: i32, out: usize, wide: usize,
): void {
  let row: usize;
  let stride: usize;
  if (kind == F32) {
    row = b + (<usize>n0 * ld + k0 << 2);
    stride = <usize>ld << 2;
  } else {
    // Rows of whole vectors, since widening writes whole vectors.
    stride = <usize>((k + 3) & ~3) << 2;
    for (let i = 0; i < n; i++) {
      widen(kind, b, <usize>(n0 + i) * ld + k0, widenScales(scales, n0 + i, ld, k0), k, wide + <usize>i * stride);
    }
    row = wide;
  }
  for (let i = 0; i < n; i += TILE_N) {
    for (let h = 0; h < TILE_N; h += 4) {
      const left = n - i - h;
      if (left >= 4) packFour(row, stride, k, out + (h << 2), 32);
      else packFew(row, stride, left < 0 ? 0 : left, k, out + (h << 2), 32);
      row += 4 * stride;
    }
    out += <usize>k << 5;
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

/** One tile: `k` steps from the eight vectors at `init` (rows `initStride` apart) into `c` (rows `stride` apart). */
export function tile(a: usize, b: usize, k: i32, init: usize, initStride: usize, c: usize, stride: usize): void {
  let c00 = v128.load(init), c01 = v128.load(init, 16);
  init += initStride;
  let c10 = v128.load(init), c11 = v128.load(init, 16);
  init += initStride;
  let c20 = v128.load(init), c21 = v128.load(init, 16);
  init += initStride;
  let c30 = v128.load(init), c31 = v128.load(init, 16);
  const end = b + (<usize>k << 5);
  do {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let x = v128.load32_splat(a);
    c00 = madd(x, b0, c00);
    c01 = madd(x, b1, c01);
    x = v128.load32_splat(a, 4);
    c10 = madd(x, b0, c10);
    c11 = madd(x, b1, c11);
    x = v128.load32_splat(a, 8);
    c20 = madd(x, b0, c20);
    c21 = madd(x, b1, c21);
    x = v128.load32_splat(a, 12);
    c30 = madd(x, b0, c30);
    c31 = madd(x, b1, c31);
    a += 16;
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
 * 0 packed A, 1 B, 2 scales of B, 3 kind of B, 4 whether B is [N, K], 5 bias or 0, 6 C, 7 M, 8 N, 9 K, 10 rows of C in a piece.
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
  const wide = spare + 128;
  for (let k0 = 0; k0 < k; k0 += BLOCK_K) {
    const depth = min(BLOCK_K, k - k0);
    const first = k0 == 0;
    if (int(4)) packTransposed(int(3), ptr(1), ptr(2), k, n0, width, k0, depth, packed, wide);
    else packPlain(int(3), ptr(1), ptr(2), n, n0, width, k0, depth, packed, wide);
    for (let chunk = m0; chunk < mEnd; chunk += BLOCK_M) {
      const chunkEnd = min(mEnd, chunk + BLOCK_M);
      let panel = packed;
      for (let j = 0; j < width; j += TILE_N) {
        const columns = width - j;
        const biasHere = bias + <usize>(j >> 3) * biasStep;
        for (let i = chunk; i < chunkEnd; i += TILE_M) {
          const at = a + (<usize>i * k + (<usize>k0 << 2) << 2);
          const c = ptr(6) + <usize>i * stride + (n0 + j << 2);
          if (columns >= TILE_N && chunkEnd - i >= TILE_M) {
            if (first) tile(at, panel, depth, biasHere, 0, c, stride);
            else tile(at, panel, depth, c, stride, c, stride);
          } else {
            edgeTile(at, panel, depth, first, biasHere, c, stride, min(TILE_M, chunkEnd - i), min(TILE_N, columns), spare);
          }
        }
        panel += <usize>depth << 5;
      }
    }
  }
}

/** Bytes of scratch memory that `gemm` needs a thread. */
export function gemmScratch(): i32 {
  return (BLOCK_N * BLOCK_K << 3) + 128 + 64;
}
