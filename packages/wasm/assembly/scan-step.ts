/*
 * One token of the selective scan with real A, in place: decoding. States are the lanes here, as they lie in memory. A piece is
 * some blocks of 16 channels of every row of the batch. Of each block, first their steps Δ and inputs Δ u, four channels in lanes;
 * then all their decays; then the states and the sums over them; last the skip and the gate.
 */
import { int, ptr } from './args';
import { decay, decayAnywhere, rounded, stepSize } from './scan';
import { exp2Constant, exp2Sixth, loadPart, madd, magic, min, one, sigmoid4, storePart, sum } from './simd';

const CHANNELS: i32 = 16;

/**
 * exp(step A) of `channels` channels one after another, `count` vectors of A each, to `out`. `steps`: of each channel, times log2 e.
 * Returns whether all are right: where one is too small or large for `decay`, and NaN, they are not, and `anyStepDecays` is what helps.
 */
export function stepDecays(channels: i32, count: i32, steps: usize, a: usize, out: usize): bool {
  const shift = magic(), unit = one();
  const k1 = exp2Constant(1), k2 = exp2Constant(2), k3 = exp2Constant(3), k4 = exp2Constant(4), k5 = exp2Constant(5);
  const k6 = exp2Sixth();
  let lowest = shift, highest = shift;
  const end = steps + (<usize>channels << 2);
  do {
    const step = v128.load32_splat(steps);
    const stop = out + (<usize>count << 4);
    do {
      const factor = v128.load(a);
      v128.store(out, decay(step, factor, shift, k1, k2, k3, k4, k5, k6, unit));
      const exponent = rounded(step, factor, shift);
      lowest = i32x4.min_s(lowest, exponent);
      highest = i32x4.max_s(highest, exponent);
      a += 16;
      out += 16;
    } while (out < stop);
    steps += 4;
  } while (steps < end);
  // From 2^-125 to 2^126: what `rounded` adds these to is the bits of `shift`.
  const inside = v128.and(
    i32x4.ge_s(lowest, i32x4.splat(0x4b400000 - 125)), i32x4.le_s(highest, i32x4.splat(0x4b400000 + 126)),
  );
  return i32x4.all_true(inside);
}

/** The same, whatever the steps and A. */
function anyStepDecays(channels: i32, count: i32, steps: usize, a: usize, out: usize): void {
  const shift = magic(), unit = one();
  const k1 = exp2Constant(1), k2 = exp2Constant(2), k3 = exp2Constant(3), k4 = exp2Constant(4), k5 = exp2Constant(5);
  const k6 = exp2Sixth();
  for (let channel = 0; channel < channels; channel++) {
    const step = v128.load32_splat(steps + (channel << 2));
    for (let i = 0; i < count; i++) {
      v128.store(out, decayAnywhere(step, v128.load(a), shift, k1, k2, k3, k4, k5, k6, unit));
      a += 16;
      out += 16;
    }
  }
}

/**
 * h = e h + input b, y = c h, of `channels` channels one after another: `bNext` and `cNext` bytes from one's row of B and C to the
 * next one's. N is a multiple of four.
 */
export function stepStates(
  channels: i32, states: i32, e: usize, inputs: usize, h: usize, b: usize, bNext: usize, c: usize, cNext: usize, ys: usize,
): void {
  const bytes = <usize>states << 2;
  const end = inputs + (<usize>channels << 2);
  do {
    const input = v128.load32_splat(inputs);
    const rowEnd = h + bytes;
    let total = f32x4.splat(0);
    do {
      const next = madd(v128.load(e), v128.load(h), f32x4.mul(input, v128.load(b)));
      v128.store(h, next);
      total = madd(next, v128.load(c), total);
      e += 16;
      h += 16;
      b += 16;
      c += 16;
    } while (h < rowEnd);
    store<f32>(ys, sum(total));
    b += bNext - bytes;
    c += cNext - bytes;
    inputs += 4;
    ys += 4;
  } while (inputs < end);
}

/** The same with N = 16, which models have, and one row of B and of C for all channels. */
export function stepStates16(channels: i32, e: usize, inputs: usize, h: usize, b: usize, c: usize, ys: usize): void {
  const b0 = v128.load(b), b1 = v128.load(b, 16), b2 = v128.load(b, 32), b3 = v128.load(b, 48);
  const c0 = v128.load(c), c1 = v128.load(c, 16), c2 = v128.load(c, 32), c3 = v128.load(c, 48);
  const end = inputs + (<usize>channels << 2);
  do {
    const input = v128.load32_splat(inputs);
    let next = madd(v128.load(e), v128.load(h), f32x4.mul(input, b0));
    v128.store(h, next);
    let total = f32x4.mul(next, c0);
    next = madd(v128.load(e, 16), v128.load(h, 16), f32x4.mul(input, b1));
    v128.store(h, next, 16);
    total = madd(next, c1, total);
    next = madd(v128.load(e, 32), v128.load(h, 32), f32x4.mul(input, b2));
    v128.store(h, next, 32);
    total = madd(next, c2, total);
    next = madd(v128.load(e, 48), v128.load(h, 48), f32x4.mul(input, b3));
    v128.store(h, next, 48);
    total = madd(next, c3, total);
    store<f32>(ys, sum(total));
    e += 64;
    h += 64;
    inputs += 4;
    ys += 4;
  } while (inputs < end);
}

/** The same of one channel with any N. */
function stepState(states: i32, e: usize, inputs: usize, h: usize, b: usize, c: usize, ys: usize): void {
  const input = v128.load32_splat(inputs);
  let total = f32x4.splat(0);
  for (let n = 0; n < states; n += 4) {
    const rest = states - n;
    const next = madd(v128.load(e), loadPart(h, rest), f32x4.mul(input, loadPart(b, rest)));
    storePart(h, next, rest);
    total = madd(next, loadPart(c, rest), total);
    e += 16;
    h += 16;
    b += 16;
    c += 16;
  }
  store<f32>(ys, sum(total));
}

/**
 * 0 u, 1 delta, 2 A, 3 B, 4 C, 5 D or 0, 6 z or 0, 7 deltaBias or 0, 8 state, 10 y, 12 M, 13 D, 14 N, 15 groups of B (0: constant),
 * 16 groups of C, 17 softplus; how many elements the rows of 18 z, 19 B, 20 C are apart; 21 channels of a piece, a multiple of 16.
 * Scratch: 8 vectors, and of 16 channels ceil(N / 4) vectors twice.
 */
export function scanStep(piece: i32, scratch: usize): void {
  const first = piece * int(21);
  const end = min(int(13), first + int(21));
  for (let batch = 0, m = int(12); batch < m; batch++) {
    for (let channel = first; channel < end; channel += CHANNELS) {
      stepBlock(batch, channel, min(CHANNELS, end - channel), scratch);
    }
  }
}

function stepBlock(batch: i32, first: i32, channels: i32, scratch: usize): void {
  const d = int(13);
  const states = int(14);
  const bytes = <usize>states << 2;
  const perChannel = states + 3 >> 2;
  const inputs = scratch;
  const ys = inputs + 64;
  const decays = ys + 64;
  const factors = decays + (<usize>(CHANNELS * perChannel) << 4);
  const at = <usize>batch * d + first << 2;

  const log2e = f32x4.splat(1.4426950408889634);
  for (let c = 0; c < channels; c += 4) {
    const lane = <usize>c << 2;
    const count = channels - c;
    const bias = ptr(7) ? loadPart(ptr(7) + (first << 2) + lane, count) : f32x4.splat(0);
    const delta = stepSize(loadPart(ptr(1) + at + lane, count), bias, int(17) != 0);
    v128.store(ys + lane, f32x4.mul(delta, log2e));
    v128.store(inputs + lane, f32x4.mul(delta, loadPart(ptr(0) + at + lane, count)));
  }
  // A's rows are whole vectors, or they are made so.
  let a = ptr(2) + <usize>first * bytes;
  if (states & 3) {
    let factor = factors;
    for (let c = 0; c < channels; c++) {
      for (let n = 0; n < states; n += 4) {
        v128.store(factor, loadPart(a + (n << 2), states - n));
        factor += 16;
      }
      a += bytes;
    }
    a = factors;
  }
  if (!stepDecays(channels, perChannel, ys, a, decays)) anyStepDecays(channels, perChannel, ys, a, decays);

  const bGroups = int(15);
  const cGroups = int(16);
  let h = ptr(8) + <usize>(batch * d + first) * bytes;
  if (!(states & 3) && bGroups <= 1 && cGroups <= 1) {
    const b = ptr(3) + <usize>(bGroups ? batch * int(19) : first * states) * 4;
    const c = ptr(4) + <usize>(cGroups ? batch * int(20) : first * states) * 4;
    if (states == 16 && bGroups && cGroups) stepStates16(channels, decays, inputs, h, b, c, ys);
    else stepStates(channels, states, decays, inputs, h, b, bGroups ? 0 : bytes, c, cGroups ? 0 : bytes, ys);
  } else {
    const bShare = bGroups ? d / bGroups : 1;
    const cShare = cGroups ? d / cGroups : 1;
    for (let i = 0; i < channels; i++) {
      const b = ptr(3) + <usize>(batch * int(19) + (first + i) / bShare * states) * 4;
      const c = ptr(4) + <usize>(batch * int(20) + (first + i) / cShare * states) * 4;
      stepState(states, decays + (<usize>(i * perChannel) << 4), inputs + (i << 2), h, b, c, ys + (i << 2));
      h += bytes;
    }
  }
  for (let c = 0; c < channels; c += 4) {
    const lane = <usize>c << 2;
    const count = channels - c;
    let y = v128.load(ys + lane);
    if (ptr(5)) y = madd(loadPart(ptr(5) + (first << 2) + lane, count), loadPart(ptr(0) + at + lane, count), y);
    if (ptr(6)) {
      const z = loadPart(ptr(6) + (<usize>batch * int(18) + first << 2) + lane, count);
      y = f32x4.mul(y, f32x4.mul(z, sigmoid4(z)));
    }
    storePart(ptr(10) + at + lane, y, count);
  }
}
