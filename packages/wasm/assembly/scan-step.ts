/*
 * One token of the selective scan with real A, in place: decoding. States are the lanes here, as they lie in memory, and four
 * channels go together, so that softplus, the sums over states and the gate are vectors too.
 */
import { int, ptr } from './args';
import { stepSize } from './scan';
import {
  exp2Constant, exp2High, exp2Low, loadPart, madd, magic, min, one, sigmoid4, storePart, sums,
} from './simd';

const CHANNELS: i32 = 16;

/** exp(Δ A) = 2^t, t = Δ A log2 e: saturated below 2^-126 and above the floats, NaN for NaN. */
@inline function decay(
  t: v128, low: v128, high: v128, shift: v128,
  k1: v128, k2: v128, k3: v128, k4: v128, k5: v128, unit: v128,
): v128 {
  const inside = f32x4.pmin(f32x4.pmax(t, low), high);
  const r = f32x4.add(inside, shift);
  const f = f32x4.sub(inside, f32x4.sub(r, shift));
  const p = madd(madd(madd(madd(madd(k5, f, k4), f, k3), f, k2), f, k1), f, unit);
  return i32x4.add(p, i32x4.shl(r, 23));
}

/**
 * 0 u, 1 delta, 2 A, 3 B, 4 C, 5 D or 0, 6 z or 0, 7 deltaBias or 0, 8 state, 10 y, 13 D, 14 N, 15 groups of B (0: constant), 16 groups of C,
 * 17 softplus. A piece: 16 channels of a row of the batch. Scratch: 6 vectors.
 */
export function scanStep(piece: i32, scratch: usize): void {
  const d = int(13);
  const states = int(14);
  const bytes = <usize>states << 2;
  const blocks = (d + CHANNELS - 1) / CHANNELS;
  const batch = piece / blocks;
  const first = piece % blocks * CHANNELS;
  const end = min(d, first + CHANNELS);
  const bGroups = int(15);
  const cGroups = int(16);
  const shift = magic(), low = exp2Low(), high = exp2High(), unit = one();
  const k1 = exp2Constant(1), k2 = exp2Constant(2), k3 = exp2Constant(3), k4 = exp2Constant(4), k5 = exp2Constant(5);
  for (let channel = first; channel < end; channel += 4) {
    const count = end - channel;
    const lane = <usize>channel << 2;
    const at = (<usize>batch * d << 2) + lane;
    const u = loadPart(ptr(0) + at, count);
    const bias = ptr(7) ? v128.load(ptr(7) + lane) : f32x4.splat(0);
    const delta = stepSize(loadPart(ptr(1) + at, count), bias, int(17) != 0);
    v128.store(scratch, f32x4.mul(delta, f32x4.splat(1.4426950408889634)));
    v128.store(scratch, f32x4.mul(delta, u), 16);
    for (let c = 0; c < 4; c++) {
      const acc = scratch + 32 + (c << 4);
      let total = f32x4.splat(0);
      if (c < count) {
        const here = channel + c;
        const step = v128.load32_splat(scratch + (c << 2));
        const input = v128.load32_splat(scratch + (c << 2), 16);
        const a = ptr(2) + <usize>here * bytes;
        const h = ptr(8) + <usize>(batch * d + here) * bytes;
        const b = ptr(3) + (bGroups ? <usize>(batch * bGroups + here / (d / bGroups)) : <usize>here) * bytes;
        const cs = ptr(4) + (cGroups ? <usize>(batch * cGroups + here / (d / cGroups)) : <usize>here) * bytes;
        let n: usize = 0;
        for (; n + 16 <= bytes; n += 16) {
          const e = decay(f32x4.mul(step, v128.load(a + n)), low, high, shift, k1, k2, k3, k4, k5, unit);
          const next = madd(e, v128.load(h + n), f32x4.mul(input, v128.load(b + n)));
          v128.store(h + n, next);
          total = madd(next, v128.load(cs + n), total);
        }
        if (n < bytes) {
          const rest = <i32>(bytes - n) >> 2;
          const e = decay(f32x4.mul(step, loadPart(a + n, rest)), low, high, shift, k1, k2, k3, k4, k5, unit);
          const next = madd(e, loadPart(h + n, rest), f32x4.mul(input, loadPart(b + n, rest)));
          storePart(h + n, next, rest);
          total = madd(next, loadPart(cs + n, rest), total);
        }
      }
      v128.store(acc, total);
    }
    let y = sums(v128.load(scratch, 32), v128.load(scratch, 48), v128.load(scratch, 64), v128.load(scratch, 80));
    if (ptr(5)) y = madd(v128.load(ptr(5) + lane), u, y);
    if (ptr(6)) {
      const z = loadPart(ptr(6) + at, count);
      y = f32x4.mul(y, f32x4.mul(z, sigmoid4(z)));
    }
    storePart(ptr(10) + at, y, count);
  }
}
