/*
 * y[M, N] = x[M, K] w[N, K]^T + bias for few rows of x, weights in panels: decoding. Bound by memory: each panel is read once and
 * strictly in order, and what is left of it in the cache serves the further rows of x. (More than one stream a thread
 * is prefetched at little more than half the speed of one.)
 */
import { int, ptr } from './args';
import { panelBf16, panelF16, panelInt8, preparedBytes } from './matvec-narrow';
import { panelBytes, panelRows } from './panels';
import { loadPart, madd, min, storePart } from './simd';
import { BF16, F32, INT8 } from './widen';

/**
 * The eight rows of a panel times one row of x. Eight sums, or each would wait for itself; the branch in the middle of a turn keeps
 * V8 (of Node 20) from moving all loads to the front, which would take more registers than there are.
 */
export function panelF32(x: usize, k: i32, w: usize, out: usize): void {
  let a0 = f32x4.splat(0), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0;
  const end = x + (<usize>k << 2);
  const whole = x + (<usize>(k & ~1) << 2);
  while (x < whole) {
    let value = v128.load32_splat(x);
    a0 = madd(v128.load(w), value, a0);
    a1 = madd(v128.load(w, 16), value, a1);
    value = v128.load32_splat(x, 4);
    b0 = madd(v128.load(w, 32), value, b0);
    b1 = madd(v128.load(w, 48), value, b1);
    x += 8;
    w += 64;
    if (x >= whole) break;
    value = v128.load32_splat(x);
    c0 = madd(v128.load(w), value, c0);
    c1 = madd(v128.load(w, 16), value, c1);
    value = v128.load32_splat(x, 4);
    d0 = madd(v128.load(w, 32), value, d0);
    d1 = madd(v128.load(w, 48), value, d1);
    x += 8;
    w += 64;
  }
  if (x < end) {
    const value = v128.load32_splat(x);
    a0 = madd(v128.load(w), value, a0);
    a1 = madd(v128.load(w, 16), value, a1);
  }
  v128.store(out, f32x4.add(f32x4.add(a0, b0), f32x4.add(c0, d0)));
  v128.store(out, f32x4.add(f32x4.add(a1, b1), f32x4.add(c1, d1)), 16);
}

/** Bytes of weights whose pages are touched together. */
const TOUCHED: i32 = 48 << 10;

/**
 * Loads a word of every page of 4 KB that begins in `from` to `end`. What fetches ahead of a stream stops where a page ends, so the
 * pages that come next are translated, and their first lines fetched, all at once instead of one after another when they are
 * waited for. In f32 that is 12 to 20 % (two threads); narrower weights leave the loads no slack, and lose by it.
 */
@inline function touchPages(from: usize, end: usize): i32 {
  let words = 0;
  for (let page = from + 4095 & ~(<usize>4095); page < end; page += 4096) words |= load<i32>(page);
  return words;
}

/**
 * 0 x (prepared, but for f32 and bf16), 1 w, 2 bias or 0, 3 y, 4 M, 5 N, 6 K, 7 panels of a piece, 8 kind, 9 how many elements
 * x's rows are apart where they are not prepared, 10 panels of a first part, or all, 11 panels of a piece in the other part: a piece
 * has some of each. Scratch: a panel's results.
 */
export function matvec(piece: i32, scratch: usize): void {
  const height = panelRows(int(8));
  const part = int(10);
  multiplyPanels(piece * int(7), min(part, (piece + 1) * int(7)), scratch);
  multiplyPanels(part + piece * int(11), min((int(5) + height - 1) / height, part + (piece + 1) * int(11)), scratch);
}

function multiplyPanels(first: i32, end: i32, scratch: usize): void {
  if (first >= end) return;
  const m = int(4);
  const n = int(5);
  const k = int(6);
  const kind = int(8);
  const bias = ptr(2);
  const height = panelRows(kind);
  const bytes = panelBytes(kind, k);
  const stride = kind == F32 || kind == BF16 ? <usize>int(9) << 2 : preparedBytes(k);
  const group = kind == F32 ? max<i32>(1, TOUCHED / <i32>bytes) : 0;
  const start = ptr(1) + <usize>first * bytes;
  // The first pages are waited for in any case.
  let touched = group == 0 ? 0 : touchPages(start, start + min(TOUCHED, (end - first) * <i32>bytes));
  for (let panel = first; panel < end; panel++) {
    const w = ptr(1) + <usize>panel * bytes;
    if (group > 0 && (panel - first) % group == 0 && panel + 3 * group <= end) {
      const ahead = <usize>group * bytes;
      touched |= touchPages(w + 2 * ahead, w + 3 * ahead);
    }
    const row = panel * height;
    const rows = min(height, n - row);
    for (let i = 0; i < m; i++) {
      const x = ptr(0) + <usize>i * stride;
      const y = ptr(3) + (<usize>i * n + row << 2);
      if (kind == F32) panelF32(x, k, w, scratch);
      else if (kind == INT8) panelInt8(x, k, w, scratch);
      else if (kind == BF16) panelBf16(x, k, w, scratch);
      else panelF16(x, k, w, scratch);
      for (let r = 0; r < rows; r += 4) {
        let v = v128.load(scratch + (r << 2));
        if (bias) v = f32x4.add(v, loadPart(bias + (row + r << 2), rows - r));
        storePart(y + (r << 2), v, rows - r);
      }
    }
  }
  // So that nobody leaves the loads out.
  store<i32>(scratch, touched);
}
