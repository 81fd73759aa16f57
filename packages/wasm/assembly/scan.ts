/*
 * Selective scan with real A: h_t = exp(Δ_t A) h_{t-1} + Δ_t B_t u_t, y_t = C_t h_t, then D u and the gate.
 *
 * Four channels are the four lanes. A piece is a block of 16 channels (a cache line of every token) of one row of the batch,
 * BLOCK_T tokens at a time. First Δ (bias, softplus) and Δ u of the block are computed into scratch memory, where each four
 * channels' numbers lie together; then, two states at a time, the decays exp(Δ A) of the block, which depend on nothing, and
 * the recurrence over them, which adds C h to y; last, y goes out with D u and the gate. What the inner loops touch (14 KB)
 * and the block's B and C (8 KB, shared by all channels) stay in L1.
 *
 * Cost of a state and token of four channels: 8 multiply-adds or additions for the decay (one more where they are not fused),
 * 3 for the recurrence. exp is 2^(Δ A log2 e), with log2 e folded into A once.
 */
import { int, ptr } from './args';
import {
  exp2Constant, exp2High, exp2Low, exp2Sixth, infinity, loadPart, madd, magic, min, one, sigmoid4, softplus4, storePart, zeroWords,
} from './simd';

/** Channels of a piece, four to a group. */
export const CHANNELS: i32 = 16;
export const BLOCK_T: i32 = 64;
/** Bytes of one array [BLOCK_T] of vectors. */
export const RUN: usize = 1024;
/** Room for one state's decays (or states) over a block: a vector more than a run, since they are computed in pairs. */
export const HISTORY: usize = 1024 + 64;

/** Δ of four channels: bias and softplus. */
@inline export function stepSize(delta: v128, bias: v128, softplus: bool): v128 {
  const raw = f32x4.add(delta, bias);
  return softplus ? softplus4(raw) : raw;
}

/** Keeps the largest |Δ| of each lane; a NaN, whose bits are the largest of all, stays. */
@inline export function bound(largest: usize, delta: v128): void {
  v128.store(largest, i32x4.max_u(v128.load(largest), f32x4.abs(delta)));
}

/** One state's row of four channels, [D, N] -> lanes; `count` channels, zero for the rest. */
export function gatherLanes(base: usize, first: i32, count: i32, states: i32, to: usize): void {
  for (let n = 0; n < states; n++) {
    for (let c = 0; c < 4; c++) {
      store<f32>(to + (n << 4) + (c << 2), c < count ? load<f32>(base + (<usize>(first + c) * states + n << 2)) : 0);
    }
  }
}

/** The reverse. */
export function scatterLanes(from: usize, count: i32, states: i32, base: usize, first: i32): void {
  for (let n = 0; n < states; n++) {
    for (let c = 0; c < count; c++) {
      store<f32>(base + (<usize>(first + c) * states + n << 2), load<f32>(from + (n << 4) + (c << 2)));
    }
  }
}

/** A log2 e in place, kept finite so that a step of zero times it is zero. */
export function scaleA(a: usize, states: i32): void {
  const log2e = f32x4.splat(1.4426950408889634);
  const lowest = f32x4.splat(-f32.MAX_VALUE);
  const highest = f32x4.splat(f32.MAX_VALUE);
  for (let n = 0; n < states; n++) {
    const v = f32x4.mul(v128.load(a + (n << 4)), log2e);
    v128.store(a + (n << 4), f32x4.pmin(f32x4.pmax(v, lowest), highest));
  }
}

/** t = Δ A log2 e, rounded to a whole number, in the low bits of a float. */
@inline export function rounded(delta: v128, a: v128, shift: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? madd(delta, a, shift) : f32x4.add(f32x4.mul(delta, a), shift);
}

/** exp(Δ A) = 2^t for t = Δ A log2 e within [-126, 127.99999]; t itself is never computed where multiply-adds are fused. */
@inline export function decay(
  delta: v128, a: v128, shift: v128, k1: v128, k2: v128, k3: v128, k4: v128, k5: v128, k6: v128, unit: v128,
): v128 {
  const r = rounded(delta, a, shift);
  const f = ASC_FEATURE_RELAXED_SIMD
    ? madd(delta, a, f32x4.sub(shift, r))
    : f32x4.sub(f32x4.mul(delta, a), f32x4.sub(r, shift));
  const high = ASC_FEATURE_RELAXED_SIMD ? k5 : madd(k6, f, k5);
  const p = madd(madd(madd(madd(madd(high, f, k4), f, k3), f, k2), f, k1), f, unit);
  return i32x4.add(p, i32x4.shl(r, 23));
}

/** The same for any t: zero below, infinity above, NaN for NaN. */
@inline export function decayAnywhere(
  delta: v128, a: v128, shift: v128, k1: v128, k2: v128, k3: v128, k4: v128, k5: v128, k6: v128, unit: v128,
): v128 {
  const t = f32x4.mul(delta, a);
  let e = decay(delta, a, shift, k1, k2, k3, k4, k5, k6, unit);
  e = v128.andnot(e, f32x4.lt(t, exp2Low()));
  e = v128.bitselect(infinity(), e, f32x4.gt(t, exp2High()));
  return v128.bitselect(t, e, f32x4.ne(t, t));
}

/**
 * exp(Δ_t A) of one state for `count` tokens, and one more if that is odd. `largest`: bounds |Δ| in each lane, NaN if one is.
 *
 * On Zen, additions and multiply-adds share what they read registers through: it is their sum that counts, two a cycle. So
 * what lies outside the range of `decay` is only looked for where the bound says that there may be something.
 */
export function decays(count: i32, a: usize, largest: v128, run: usize, out: usize): void {
  const shift = magic(), unit = one();
  const k1 = exp2Constant(1), k2 = exp2Constant(2), k3 = exp2Constant(3), k4 = exp2Constant(4), k5 = exp2Constant(5);
  const k6 = exp2Sixth();
  const factor = v128.load(a);
  const end = out + (<usize>count << 4);
  if (i32x4.all_true(f32x4.le(f32x4.mul(largest, f32x4.abs(factor)), f32x4.abs(exp2Low())))) {
    do {
      const e0 = decay(v128.load(run), factor, shift, k1, k2, k3, k4, k5, k6, unit);
      const e1 = decay(v128.load(run, 16), factor, shift, k1, k2, k3, k4, k5, k6, unit);
      v128.store(out, e0);
      v128.store(out, e1, 16);
      run += 32;
      out += 32;
    } while (out < end);
    return;
  }
  do {
    v128.store(out, decayAnywhere(v128.load(run), factor, shift, k1, k2, k3, k4, k5, k6, unit));
    run += 16;
    out += 16;
  } while (out < end);
}

/** A state's number for four channels: one for each where constant, else one for all. `second`: the next state's. */
@inline export function coefficient(constant: bool, at: usize, second: bool): v128 {
  if (constant) return second ? v128.load(at, 16) : v128.load(at);
  return second ? v128.load32_splat(at, 4) : v128.load32_splat(at);
}

/**
 * `count` tokens of two states (one, if `single`) of four channels, with the decays at hand, HISTORY apart. `b` and `c` advance by
 * `bStep` and `cStep` bytes a token where they vary; constant, they hold four channels' numbers for each state.
 *
 * Two, not four: V8 puts all loads of a loop first, and with more than fifteen numbers at hand it spills a state, whose way through
 * memory is then what each token waits for.
 */
@inline function advance(
  single: bool, constantB: bool, constantC: bool,
  count: i32, e: usize, h: usize, b: usize, bStep: usize, c: usize, cStep: usize, run: usize,
): void {
  let h0 = v128.load(h);
  let h1 = single ? h0 : v128.load(h, 16);
  const end = run + (<usize>count << 4);
  do {
    const du = v128.load(run, RUN);
    let y = v128.load(run, 2 * RUN);
    h0 = madd(v128.load(e), h0, f32x4.mul(du, coefficient(constantB, b, false)));
    y = madd(h0, coefficient(constantC, c, false), y);
    if (!single) {
      h1 = madd(v128.load(e, HISTORY), h1, f32x4.mul(du, coefficient(constantB, b, true)));
      y = madd(h1, coefficient(constantC, c, true), y);
    }
    v128.store(run, y, 2 * RUN);
    if (!constantB) b += bStep;
    if (!constantC) c += cStep;
    run += 16;
    e += 16;
  } while (run < end);
  v128.store(h, h0);
  if (!single) v128.store(h, h1, 16);
}

export function advanceTwo(
  count: i32, e: usize, h: usize, b: usize, bStep: usize, c: usize, cStep: usize, run: usize,
): void {
  advance(false, false, false, count, e, h, b, bStep, c, cStep, run);
}
export function advanceTwoConstant(
  count: i32, e: usize, h: usize, b: usize, bStep: usize, c: usize, cStep: usize, run: usize,
): void {
  if (bStep) advance(false, false, true, count, e, h, b, bStep, c, 0, run);
  else if (cStep) advance(false, true, false, count, e, h, b, 0, c, cStep, run);
  else advance(false, true, true, count, e, h, b, 0, c, 0, run);
}
export function advanceOne(
  count: i32, e: usize, h: usize, b: usize, bStep: usize, c: usize, cStep: usize, run: usize,
): void {
  if (bStep) {
    if (cStep) advance(true, false, false, count, e, h, b, bStep, c, cStep, run);
    else advance(true, false, true, count, e, h, b, bStep, c, 0, run);
  } else if (cStep) advance(true, true, false, count, e, h, b, 0, c, cStep, run);
  else advance(true, true, true, count, e, h, b, 0, c, 0, run);
}

/** All states of four channels over `count` tokens. A step of zero says that B or C is constant. `e`: room for two HISTORY. */
function advanceAll(
  states: i32, count: i32, a: usize, largest: v128, e: usize, h: usize, b: usize, bStep: usize, c: usize, cStep: usize,
  run: usize,
): void {
  // Bytes from one state's B to the next one's.
  const bNext: usize = bStep ? 4 : 16;
  const cNext: usize = cStep ? 4 : 16;
  let n = 0;
  for (; n + 2 <= states; n += 2) {
    decays(count, a, largest, run, e);
    decays(count, a + 16, largest, run, e + HISTORY);
    if (bStep && cStep) advanceTwo(count, e, h, b, bStep, c, cStep, run);
    else advanceTwoConstant(count, e, h, b, bStep, c, cStep, run);
    a += 32;
    h += 32;
    b += 2 * bNext;
    c += 2 * cNext;
  }
  if (n < states) {
    decays(count, a, largest, run, e);
    advanceOne(count, e, h, b, bStep, c, cStep, run);
  }
}

/**
 * 0 u, 1 delta, 2 A, 3 B, 4 C, 5 D or 0, 6 z or 0, 7 deltaBias or 0, 8 initial state or 0, 9 seqIdx or 0, 10 y, 11 last state, 12 L, 13 D, 14 N,
 * 15 groups of B (0: constant), 16 groups of C, 17 softplus.
 * A piece: 16 channels of a row of the batch. Scratch: 4 groups of 3 runs and 4 N vectors.
 */
export function scan(piece: i32, scratch: usize): void {
  const length = int(12);
  const d = int(13);
  const states = int(14);
  const softplus = int(17) != 0;
  const blocks = (d + CHANNELS - 1) / CHANNELS;
  const batch = piece / blocks;
  const first = piece % blocks * CHANNELS;
  const channels = min(CHANNELS, d - first);
  const groups = channels + 3 >> 2;
  const stride = <usize>d << 2;
  const vectors = <usize>states << 4;
  const perGroup = RUN * 3 + vectors * 4;
  const bGroups = int(15);
  const cGroups = int(16);
  const bStep = <usize>bGroups * states << 2;
  const cStep = <usize>cGroups * states << 2;
  const largest = scratch + <usize>groups * perGroup;
  const decayed = largest + CHANNELS * 4;

  for (let g = 0; g < groups; g++) {
    const at = scratch + <usize>g * perGroup + 3 * RUN;
    const channel = first + (g << 2);
    const count = channels - (g << 2);
    gatherLanes(ptr(2), channel, count, states, at);
    scaleA(at, states);
    if (ptr(8)) gatherLanes(ptr(8), batch * d + channel, count, states, at + vectors);
    else zeroWords(at + vectors, vectors);
    if (!bGroups) gatherLanes(ptr(3), channel, count, states, at + 2 * vectors);
    if (!cGroups) gatherLanes(ptr(4), channel, count, states, at + 3 * vectors);
  }

  const seq = ptr(9) ? ptr(9) + (<usize>batch * length << 2) : 0;
  for (let t0 = 0; t0 < length; t0 += BLOCK_T) {
    const t1 = min(length, t0 + BLOCK_T);
    let row = (<usize>batch * length + t0) * stride + (first << 2);
    zeroWords(largest, CHANNELS * 4);
    for (let t = t0; t < t1; t++) {
      let run = scratch + (<usize>(t - t0) << 4);
      for (let g = 0; g < groups; g++) {
        const at = row + (g << 4);
        const count = channels - (g << 2);
        const bias = ptr(7) ? loadPart(ptr(7) + (first + (g << 2) << 2), count) : f32x4.splat(0);
        const delta = stepSize(loadPart(ptr(1) + at, count), bias, softplus);
        bound(largest + (g << 4), delta);
        v128.store(run, delta);
        v128.store(run, f32x4.mul(delta, loadPart(ptr(0) + at, count)), RUN);
        v128.store(run, f32x4.splat(0), 2 * RUN);
        run += perGroup;
      }
      row += stride;
    }

    // From one change of sequence to the next.
    for (let t = t0; t < t1; ) {
      let stop = t + 1;
      if (seq) while (stop < t1 && load<i32>(seq + (stop << 2)) == load<i32>(seq + (stop << 2) - 4)) stop++;
      else stop = t1;
      const fresh = seq && t > 0 && load<i32>(seq + (t << 2)) != load<i32>(seq + (t << 2) - 4);
      for (let g = 0; g < groups; g++) {
        const at = scratch + <usize>g * perGroup;
        const a = at + 3 * RUN;
        const h = a + vectors;
        if (fresh) zeroWords(h, vectors);
        const token = <usize>batch * length + t;
        const channel = first + (g << 2);
        const b = bGroups ? ptr(3) + token * bStep + (<usize>(channel / (d / bGroups)) * states << 2) : h + vectors;
        const c = cGroups ? ptr(4) + token * cStep + (<usize>(channel / (d / cGroups)) * states << 2) : h + 2 * vectors;
        advanceAll(states, stop - t, a, v128.load(largest + (g << 4)), decayed, h, b, bStep, c, cStep, at + (<usize>(t - t0) << 4));
      }
      t = stop;
    }

    row = (<usize>batch * length + t0) * stride + (first << 2);
    for (let t = t0; t < t1; t++) {
      let run = scratch + (<usize>(t - t0) << 4);
      for (let g = 0; g < groups; g++) {
        const at = row + (g << 4);
        const count = channels - (g << 2);
        let y = v128.load(run, 2 * RUN);
        if (ptr(5)) y = madd(v128.load(ptr(5) + (first + (g << 2) << 2)), loadPart(ptr(0) + at, count), y);
        if (ptr(6)) {
          const z = loadPart(ptr(6) + at, count);
          y = f32x4.mul(y, f32x4.mul(z, sigmoid4(z)));
        }
        storePart(ptr(10) + at, y, count);
        run += perGroup;
      }
      row += stride;
    }
  }

  for (let g = 0; g < groups; g++) {
    const h = scratch + <usize>g * perGroup + 3 * RUN + vectors;
    scatterLanes(h, channels - (g << 2), states, ptr(11), batch * d + first + (g << 2));
  }
}
