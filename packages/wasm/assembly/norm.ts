/*
 * rmsNorm and layerNorm (`center`), with the residual added first: r = x + residual.
 * Forward and the gradient of r go row by row; the gradients of weight and bias column by column, with the rows' mean and
 * 1 / deviation from the pass before.
 */
import { int, num, ptr } from './args';
import { loadPart, madd, min, storePart, sum } from './simd';

@inline function row(base: usize, index: i32, stride: usize): usize {
  return base + <usize>index * stride;
}

/** x + residual at this place, `count` lanes. */
@inline function total(x: usize, residual: usize, at: usize, count: i32): v128 {
  const v = loadPart(x + at, count);
  return residual ? f32x4.add(v, loadPart(residual + at, count)) : v;
}

/** `v` minus `mean` in the first `count` lanes, zero in the others. */
@inline function centered(v: v128, mean: f32, count: i32): v128 {
  const shifted = f32x4.sub(v, f32x4.splat(mean));
  return count >= 4 ? shifted : cut(shifted, count);
}

function cut(v: v128, count: i32): v128 {
  const lanes = i32x4(0, 1, 2, 3);
  return v128.and(v, i32x4.lt_s(lanes, i32x4.splat(count)));
}

/** 0 x, 1 residual or 0, 2 weight, 3 bias or 0, 4 y, 5 r or 0, 6 rows, 7 D, 8 center; eps. A piece: 16 rows. Scratch: D floats. */
export function norm(piece: i32, scratch: usize): void {
  const d = int(7);
  const bytes = <usize>d << 2;
  const center = int(8) != 0;
  const bias = ptr(3);
  for (let i = piece << 4, stop = min(int(6), i + 16); i < stop; i++) {
    const x = row(ptr(0), i, bytes);
    const residual = ptr(1) ? row(ptr(1), i, bytes) : 0;
    const out = ptr(5) ? row(ptr(5), i, bytes) : 0;
    const y = row(ptr(4), i, bytes);
    let acc = f32x4.splat(0);
    for (let c = 0; c < d; c += 4) {
      const at = <usize>c << 2;
      const r = total(x, residual, at, d - c);
      v128.store(scratch + at, r);
      if (out) storePart(out + at, r, d - c);
      acc = center ? f32x4.add(acc, r) : madd(r, r, acc);
    }
    let mean: f32 = 0;
    if (center) {
      mean = sum(acc) / <f32>d;
      acc = f32x4.splat(0);
      for (let c = 0; c < d; c += 4) {
        const v = centered(v128.load(scratch + (<usize>c << 2)), mean, d - c);
        acc = madd(v, v, acc);
      }
    }
    const scale = f32x4.splat(<f32>1 / sqrt<f32>(sum(acc) / <f32>d + num(0)));
    const shift = f32x4.splat(mean);
    for (let c = 0; c < d; c += 4) {
      const at = <usize>c << 2;
      const normed = f32x4.mul(f32x4.sub(v128.load(scratch + at), shift), scale);
      let v = f32x4.mul(normed, v128.load(ptr(2) + at));
      if (bias) v = f32x4.add(v, v128.load(bias + at));
      storePart(y + at, v, d - c);
    }
  }
}

/**
 * With g = dy weight and n = (r - mean) / deviation: dr = (g - mean(g) - n mean(g n)) / deviation + dresidual; without
 * center the means of r and g are taken as zero.
 * 0 x, 1 residual or 0, 2 weight, 3 dy, 4 dresidual or 0, 5 dx, 6 rows, 7 D, 8 center, 9 statistics [rows, 2]; eps.
 * A piece: 16 rows. Scratch: 2 D floats.
 */
export function normBackward(piece: i32, scratch: usize): void {
  const d = int(7);
  const bytes = <usize>d << 2;
  const center = int(8) != 0;
  const gs = scratch + (bytes + 15 & ~15);
  const n = <f32>d;
  for (let i = piece << 4, stop = min(int(6), i + 16); i < stop; i++) {
    const x = row(ptr(0), i, bytes);
    const residual = ptr(1) ? row(ptr(1), i, bytes) : 0;
    const dy = row(ptr(3), i, bytes);
    const dresidual = ptr(4) ? row(ptr(4), i, bytes) : 0;
    const dx = row(ptr(5), i, bytes);
    let acc = f32x4.splat(0);
    let accG = f32x4.splat(0);
    for (let c = 0; c < d; c += 4) {
      const at = <usize>c << 2;
      const r = total(x, residual, at, d - c);
      const g = f32x4.mul(loadPart(dy + at, d - c), v128.load(ptr(2) + at));
      v128.store(scratch + at, r);
      // Past the end the weight may be anything, NaN too.
      v128.store(gs + at, cut(g, d - c));
      acc = center ? f32x4.add(acc, r) : madd(r, r, acc);
      accG = f32x4.add(accG, cut(g, d - c));
    }
    let mean: f32 = 0;
    let meanG: f32 = 0;
    if (center) {
      mean = sum(acc) / n;
      meanG = sum(accG) / n;
      acc = f32x4.splat(0);
      for (let c = 0; c < d; c += 4) {
        const v = centered(v128.load(scratch + (<usize>c << 2)), mean, d - c);
        acc = madd(v, v, acc);
      }
    }
    const inverse: f32 = <f32>1 / sqrt<f32>(sum(acc) / n + num(0));
    store<f32>(ptr(9) + (<usize>i << 3), mean);
    store<f32>(ptr(9) + (<usize>i << 3), inverse, 4);
    let dot = f32x4.splat(0);
    for (let c = 0; c < d; c += 4) {
      const at = <usize>c << 2;
      dot = madd(v128.load(gs + at), centered(v128.load(scratch + at), mean, d - c), dot);
    }
    const scale = f32x4.splat(inverse);
    const shift = f32x4.splat(mean);
    const shiftG = f32x4.splat(meanG);
    const slope = f32x4.splat(sum(dot) / n * inverse * inverse);
    for (let c = 0; c < d; c += 4) {
      const at = <usize>c << 2;
      const away = f32x4.mul(f32x4.sub(v128.load(scratch + at), shift), slope);
      let v = f32x4.mul(f32x4.sub(f32x4.sub(v128.load(gs + at), shiftG), away), scale);
      if (dresidual) v = f32x4.add(v, loadPart(dresidual + at, d - c));
      storePart(dx + at, v, d - c);
    }
  }
}

/**
 * dweight = sum over rows of dy n, dbias = sum of dy.
 * 0 x, 1 residual or 0, 2 dy, 3 statistics, 4 dweight, 5 dbias or 0, 6 rows, 7 D. A piece: 16 columns.
 */
export function normWeightBackward(piece: i32, scratch: usize): void {
  const rows = int(6);
  const d = int(7);
  const stride = <usize>d << 2;
  const first = piece << 4;
  for (let column = first, stop = min(d, first + 16); column < stop; column += 4) {
    let weight = f32x4.splat(0);
    let bias = f32x4.splat(0);
    for (let block = 0; block < rows; block += 64) {
      let partWeight = f32x4.splat(0);
      let partBias = f32x4.splat(0);
      for (let i = block, last = min(rows, block + 64); i < last; i++) {
        const at = <usize>i * stride + (column << 2);
        let r = v128.load(ptr(0) + at);
        if (ptr(1)) r = f32x4.add(r, v128.load(ptr(1) + at));
        const dy = v128.load(ptr(2) + at);
        const statistics = ptr(3) + (<usize>i << 3);
        const n = f32x4.mul(f32x4.sub(r, v128.load32_splat(statistics)), v128.load32_splat(statistics, 4));
        partWeight = madd(dy, n, partWeight);
        partBias = f32x4.add(partBias, dy);
      }
      weight = f32x4.add(weight, partWeight);
      bias = f32x4.add(bias, partBias);
    }
    storePart(ptr(4) + (column << 2), weight, stop - column);
    if (ptr(5)) storePart(ptr(5) + (column << 2), bias, stop - column);
  }
}
