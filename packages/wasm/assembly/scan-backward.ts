/*
 * Gradients of the selective scan with real A. Nothing of the forward pass was kept: a piece (64 channels of one group of one
 * row of the batch) first runs the recurrence and keeps the state at the start of each block of BLOCK_T tokens; then, block by block
 * from the last, it runs again from there with the decays and states of the block in scratch memory, and walks back:
 *
 *   g_t = dy_t C_t + exp(Δ_{t+1} A) g_{t+1}        w_t = g_t exp(Δ_t A) h_{t-1}
 *   dC_t += dy_t h_t    dB_t += g_t Δ_t u_t    dA += Δ_t w_t    s_t += g_t B_t    r_t += w_t A
 *   du_t = D dy_t + s_t Δ_t     dΔ_t = s_t u_t + r_t     (sums over the states), then softplus' slope.
 *
 * Lanes are channels, as forward, so dB and dC are sums over lanes and over pieces: each piece writes its own, and a
 * pass of `columnSums` adds them up in order.
 */
import { siluSlope } from './elementwise';
import { int, ptr } from './args';
import {
  BLOCK_T, bound, coefficient, decays, gatherLanes, HISTORY, RUN, scaleA, scatterLanes, stepSize,
} from './scan';
import {
  copyWords, expNegative4, loadPart, log1p4, madd, min, negativeAbs, one, sigmoid4, storePart, sums, zeroWords,
} from './simd';

/** Channels of a piece: fewer would make the pieces' own dB and dC larger, more would leave threads idle. */
const CHANNELS: i32 = 64;
/** Runs of a group of four channels: Δ, Δ u, y, dy, s, r, slope of softplus. */
const RUNS: usize = 7;

/** The recurrence without y, of one state: what the first pass needs. */
@inline function advanceState(constantB: bool, count: i32, e: usize, h: usize, b: usize, bStep: usize, run: usize): void {
  let state = v128.load(h);
  const end = run + (<usize>count << 4);
  do {
    state = madd(v128.load(e), state, f32x4.mul(v128.load(run, RUN), coefficient(constantB, b, false)));
    if (!constantB) b += bStep;
    run += 16;
    e += 16;
  } while (run < end);
  v128.store(h, state);
}

export function stateOnly(count: i32, e: usize, h: usize, b: usize, bStep: usize, run: usize): void {
  if (bStep) advanceState(false, count, e, h, b, bStep, run);
  else advanceState(true, count, e, h, b, 0, run);
}

/** Forward again, of one state: keeps the states, the one before the first token included, and adds to y. */
@inline function forth(
  constantB: bool, constantC: bool, count: i32, e: usize, h: usize, b: usize, bStep: usize, c: usize, cStep: usize, run: usize,
): void {
  let state = v128.load(h);
  const end = run + (<usize>count << 4);
  do {
    state = madd(v128.load(e), state, f32x4.mul(v128.load(run, RUN), coefficient(constantB, b, false)));
    v128.store(h, state, 16);
    v128.store(run, madd(state, coefficient(constantC, c, false), v128.load(run, 2 * RUN)), 2 * RUN);
    if (!constantB) b += bStep;
    if (!constantC) c += cStep;
    run += 16;
    e += 16;
    h += 16;
  } while (run < end);
}

/** Back over `count` tokens of one state. All pointers are behind the last token but `g`, the gradient that comes in and goes out, and `sums`, dA. */
@inline function back(
  constantB: bool, constantC: bool, count: i32, a: usize, g: usize, sums: usize, e: usize, h: usize,
  b: usize, bStep: usize, c: usize, cStep: usize, run: usize, accB: usize, accC: usize,
): void {
  const factor = v128.load(a);
  let gradient = v128.load(g);
  let sum = v128.load(sums);
  let after = v128.load(h);
  const begin = run - (<usize>count << 4);
  do {
    run -= 16;
    e -= 16;
    h -= 16;
    accB -= 16;
    accC -= 16;
    if (!constantB) b -= bStep;
    if (!constantC) c -= cStep;
    const dy = v128.load(run, 3 * RUN);
    gradient = madd(dy, coefficient(constantC, c, false), gradient);
    v128.store(accC, madd(dy, after, v128.load(accC)));
    v128.store(accB, madd(gradient, v128.load(run, RUN), v128.load(accB)));
    v128.store(run, madd(gradient, coefficient(constantB, b, false), v128.load(run, 4 * RUN)), 4 * RUN);
    gradient = f32x4.mul(gradient, v128.load(e));
    after = v128.load(h);
    const w = f32x4.mul(gradient, after);
    sum = madd(w, v128.load(run), sum);
    v128.store(run, madd(w, factor, v128.load(run, 5 * RUN)), 5 * RUN);
  } while (run > begin);
  v128.store(g, gradient);
  v128.store(sums, sum);
}

/** One state of four channels over a run of tokens, forth and back. `e` its decays, `h` its start state and room for the others. */
export function forthAndBack(
  count: i32, a: usize, g: usize, sums: usize, e: usize, h: usize,
  b: usize, bStep: usize, c: usize, cStep: usize, run: usize, accB: usize, accC: usize,
): void {
  const behind = <usize>count << 4;
  forth(false, false, count, e, h, b, bStep, c, cStep, run);
  back(
    false, false, count, a, g, sums, e + behind, h + behind, b + <usize>count * bStep, bStep, c + <usize>count * cStep, cStep,
    run + behind, accB + behind, accC + behind,
  );
}

/** The same with B or C (a step of zero) or both constant. */
export function forthAndBackConstant(
  count: i32, a: usize, g: usize, sums: usize, e: usize, h: usize,
  b: usize, bStep: usize, c: usize, cStep: usize, run: usize, accB: usize, accC: usize,
): void {
  const behind = <usize>count << 4;
  const bEnd = b + <usize>count * bStep;
  const cEnd = c + <usize>count * cStep;
  const end = run + behind;
  if (bStep) {
    forth(false, true, count, e, h, b, bStep, c, 0, run);
    back(false, true, count, a, g, sums, e + behind, h + behind, bEnd, bStep, c, 0, end, accB + behind, accC + behind);
  } else if (cStep) {
    forth(true, false, count, e, h, b, 0, c, cStep, run);
    back(true, false, count, a, g, sums, e + behind, h + behind, b, 0, cEnd, cStep, end, accB + behind, accC + behind);
  } else {
    forth(true, true, count, e, h, b, 0, c, 0, run);
    back(true, true, count, a, g, sums, e + behind, h + behind, b, 0, c, 0, end, accB + behind, accC + behind);
  }
}

/** Whether token t starts a sequence inside the row. */
@inline function starts(seq: usize, t: i32): bool {
  return seq != 0 && t > 0 && load<i32>(seq + (t << 2)) != load<i32>(seq + (t << 2) - 4);
}

/** The token after the run of one sequence that t is in, at most `end`. */
@inline function endOf(seq: usize, t: i32, end: i32): i32 {
  if (!seq) return end;
  let stop = t + 1;
  while (stop < end && !starts(seq, stop)) stop++;
  return stop;
}

@inline function startOf(seq: usize, t: i32, begin: i32): i32 {
  if (!seq) return begin;
  let start = t - 1;
  while (start > begin && !starts(seq, start)) start--;
  return start;
}

/**
 * 0 u, 1 delta, 2 A, 3 B, 4 C, 5 D or 0, 6 z or 0, 7 deltaBias or 0, 8 initial state or 0, 9 seqIdx or 0, 10 dy, 11 gradient of the last state or 0,
 * 12 L, 13 D, 14 N, 15 groups of B (0: constant), 16 groups of C, 17 softplus,
 * 18 du, 19 ddelta, 20 dz or 0, 21 gradient of the initial state or 0,
 * then each row's of the batch: 22 dA [B, D, N], 23 dD [B, D], 24 ddeltaBias [B, D],
 * 25 dB, 26 dC: each piece's [pieces, L, N], or [B, D, N] where constant; 27 pieces' groups.
 * Scratch: see `selectiveScanBackward` in src.
 */
export function scanBackward(piece: i32, scratch: usize): void {
  const length = int(12);
  const d = int(13);
  const states = int(14);
  const softplus = int(17) != 0;
  const perGroup = d / int(27);
  const blocks = (perGroup + CHANNELS - 1) / CHANNELS;
  const batch = piece / (blocks * int(27));
  const inBatch = piece % (blocks * int(27));
  const offset = inBatch % blocks * CHANNELS;
  const first = inBatch / blocks * perGroup + offset;
  const channels = min(CHANNELS, perGroup - offset);
  const groups = channels + 3 >> 2;
  const stride = <usize>d << 2;
  const vectors = <usize>states << 4;
  const bGroups = int(15);
  const cGroups = int(16);
  const bStep = <usize>bGroups * states << 2;
  const cStep = <usize>cGroups * states << 2;
  const seq = ptr(9) ? ptr(9) + (<usize>batch * length << 2) : 0;
  const bHere = bGroups
    ? ptr(3) + <usize>batch * length * bStep + (<usize>(first / (d / bGroups)) * states << 2) : 0;
  const cHere = cGroups
    ? ptr(4) + <usize>batch * length * cStep + (<usize>(first / (d / cGroups)) * states << 2) : 0;

  // Scratch: runs of four groups, one state's decays and states, the groups' largest Δ, dB and dC of a block, then for each
  // group A, h, g, dA, B, C, dB, dC, dD, ddeltaBias, then the states at the blocks' starts.
  const runs = scratch;
  const decayed = runs + 4 * RUNS * RUN;
  const history = decayed + HISTORY;
  const largest = history + HISTORY;
  const accB = largest + 64;
  const accC = accB + <usize>states * RUN;
  const own = accC + <usize>states * RUN;
  const ownSize = vectors * 8 + 32;
  const kept = own + <usize>groups * ownSize;

  for (let g = 0; g < groups; g++) {
    const at = own + <usize>g * ownSize;
    const channel = first + (g << 2);
    const count = channels - (g << 2);
    zeroWords(at, ownSize);
    gatherLanes(ptr(2), channel, count, states, at);
    scaleA(at, states);
    if (ptr(8)) gatherLanes(ptr(8), batch * d + channel, count, states, at + vectors);
    if (ptr(11)) gatherLanes(ptr(11), batch * d + channel, count, states, at + 2 * vectors);
    if (!bGroups) gatherLanes(ptr(3), channel, count, states, at + 4 * vectors);
    if (!cGroups) gatherLanes(ptr(4), channel, count, states, at + 5 * vectors);
  }

  for (let t0 = 0, block = 0; t0 < length; t0 += BLOCK_T, block++) {
    const t1 = min(length, t0 + BLOCK_T);
    const last = t1 == length;
    for (let g = 0; g < groups; g++) {
      const at = own + <usize>g * ownSize;
      copyWords(kept + (<usize>block * groups + g) * vectors, at + vectors, vectors);
      if (last) continue;
      const count = channels - (g << 2);
      const bias = ptr(7) ? loadPart(ptr(7) + (first + (g << 2) << 2), count) : f32x4.splat(0);
      let row = (<usize>batch * length + t0) * stride + (first + (g << 2) << 2);
      let run = runs;
      v128.store(largest, f32x4.splat(0));
      for (let t = t0; t < t1; t++) {
        const delta = stepSize(loadPart(ptr(1) + row, count), bias, softplus);
        bound(largest, delta);
        v128.store(run, delta);
        v128.store(run, f32x4.mul(delta, loadPart(ptr(0) + row, count)), RUN);
        row += stride;
        run += 16;
      }
      for (let t = t0; t < t1; ) {
        const stop = endOf(seq, t, t1);
        if (starts(seq, t)) zeroWords(at + vectors, vectors);
        let b = bGroups ? bHere + <usize>t * bStep : at + 4 * vectors;
        run = runs + (<usize>(t - t0) << 4);
        for (let v = at, end = at + vectors; v < end; v += 16) {
          decays(stop - t, v, v128.load(largest), run, decayed);
          stateOnly(stop - t, decayed, v + vectors, b, bStep, run);
          b += bGroups ? 4 : 16;
        }
        t = stop;
      }
    }
  }

  const ln2 = f32x4.splat(0.6931471805599453);
  for (let block = (length - 1) / BLOCK_T; block >= 0; block--) {
    const t0 = block * BLOCK_T;
    const t1 = min(length, t0 + BLOCK_T);
    zeroWords(accB, <usize>states * RUN);
    zeroWords(accC, <usize>states * RUN);
    for (let g4 = 0; g4 < groups; g4 += 4) {
      const gEnd = min(groups, g4 + 4);
      let row = (<usize>batch * length + t0) * stride + (first << 2);
      zeroWords(largest, 64);
      for (let t = t0; t < t1; t++) {
        let run = runs + (<usize>(t - t0) << 4);
        for (let g = g4; g < gEnd; g++) {
          const at = row + (g << 4);
          const count = channels - (g << 2);
          const bias = ptr(7) ? loadPart(ptr(7) + (first + (g << 2) << 2), count) : f32x4.splat(0);
          let delta = f32x4.add(loadPart(ptr(1) + at, count), bias);
          let slope = one();
          if (softplus) {
            // softplus and its slope, the sigmoid, from one exponential.
            const w = expNegative4(negativeAbs(delta));
            const inverse = f32x4.div(one(), f32x4.add(one(), w));
            slope = f32x4.mul(v128.bitselect(w, one(), f32x4.lt(delta, f32x4.splat(0))), inverse);
            delta = f32x4.add(f32x4.pmax(delta, f32x4.splat(0)), log1p4(w));
          }
          let dy = loadPart(ptr(10) + at, count);
          if (ptr(6)) {
            const z = loadPart(ptr(6) + at, count);
            dy = f32x4.mul(dy, f32x4.mul(z, sigmoid4(z)));
          }
          bound(largest + (g - g4 << 4), delta);
          v128.store(run, delta);
          v128.store(run, f32x4.mul(delta, loadPart(ptr(0) + at, count)), RUN);
          v128.store(run, f32x4.splat(0), 2 * RUN);
          v128.store(run, dy, 3 * RUN);
          v128.store(run, f32x4.splat(0), 4 * RUN);
          v128.store(run, f32x4.splat(0), 5 * RUN);
          v128.store(run, slope, 6 * RUN);
          run += RUNS * RUN;
        }
        row += stride;
      }

      for (let t = t1; t > t0; ) {
        const start = startOf(seq, t, t0);
        for (let g = g4; g < gEnd; g++) {
          const at = own + <usize>g * ownSize;
          const keptHere = kept + (<usize>block * groups + g) * vectors;
          if (t < length && starts(seq, t)) zeroWords(at + 2 * vectors, vectors);
          const token = <usize>(start - t0) << 4;
          const run = runs + <usize>(g - g4) * RUNS * RUN + token;
          const count = t - start;
          let b = bGroups ? bHere + <usize>start * bStep : at + 4 * vectors;
          let c = cGroups ? cHere + <usize>start * cStep : at + 5 * vectors;
          // Where B or C is constant each channel has its own sums, over this block, added to the row's below.
          let toB = accB + token;
          let toC = accC + token;
          for (let n: usize = 0; n < vectors; n += 16) {
            const v = at + n;
            v128.store(history, starts(seq, start) ? f32x4.splat(0) : v128.load(keptHere + n));
            decays(count, v, v128.load(largest + (g - g4 << 4)), run, decayed);
            if (bStep && cStep) {
              forthAndBack(
                count, v, v + 2 * vectors, v + 3 * vectors, decayed, history, b, bStep, c, cStep, run, toB, toC,
              );
            } else {
              forthAndBackConstant(
                count, v, v + 2 * vectors, v + 3 * vectors, decayed, history, b, bStep, c, cStep, run, toB, toC,
              );
            }
            b += bGroups ? 4 : 16;
            c += cGroups ? 4 : 16;
            toB += RUN;
            toC += RUN;
          }
          if (!bStep) takeRuns(accB, states, t - start, token, at + 6 * vectors);
          if (!cStep) takeRuns(accC, states, t - start, token, at + 7 * vectors);
        }
        t = start;
      }

      row = (<usize>batch * length + t0) * stride + (first << 2);
      for (let t = t0; t < t1; t++) {
        let run = runs + (<usize>(t - t0) << 4);
        for (let g = g4; g < gEnd; g++) {
          const at = row + (g << 4);
          const count = channels - (g << 2);
          const sumsAt = own + <usize>g * ownSize + 8 * vectors;
          const u = loadPart(ptr(0) + at, count);
          const dy = v128.load(run, 3 * RUN);
          const s = v128.load(run, 4 * RUN);
          let du = f32x4.mul(s, v128.load(run));
          if (ptr(5) || ptr(6)) {
            const skip = ptr(5) ? v128.load(ptr(5) + (first + (g << 2) << 2)) : f32x4.splat(0);
            if (ptr(5)) {
              du = madd(skip, dy, du);
              v128.store(sumsAt, madd(dy, u, v128.load(sumsAt)));
            }
            if (ptr(6)) {
              const y = ptr(5) ? madd(skip, u, v128.load(run, 2 * RUN)) : v128.load(run, 2 * RUN);
              const slope = siluSlope(loadPart(ptr(6) + at, count));
              storePart(ptr(20) + at, f32x4.mul(f32x4.mul(loadPart(ptr(10) + at, count), y), slope), count);
            }
          }
          storePart(ptr(18) + at, du, count);
          const ddelta = f32x4.mul(madd(v128.load(run, 5 * RUN), ln2, f32x4.mul(s, u)), v128.load(run, 6 * RUN));
          storePart(ptr(19) + at, ddelta, count);
          v128.store(sumsAt, f32x4.add(ddelta, v128.load(sumsAt, 16)), 16);
          run += RUNS * RUN;
        }
        row += stride;
      }
    }
    if (bGroups) writeRuns(accB, states, t1 - t0, ptr(25) + (<usize>piece * length + t0) * vectors / 4);
    if (cGroups) writeRuns(accC, states, t1 - t0, ptr(26) + (<usize>piece * length + t0) * vectors / 4);
  }

  for (let g = 0; g < groups; g++) {
    const at = own + <usize>g * ownSize;
    const count = channels - (g << 2);
    const channel = batch * d + first + (g << 2);
    if (ptr(21)) {
      scatterLanes(at + 2 * vectors, count, states, ptr(21), channel);
    }
    scatterLanes(at + 3 * vectors, count, states, ptr(22), channel);
    if (!bGroups) scatterLanes(at + 6 * vectors, count, states, ptr(25), channel);
    if (!cGroups) scatterLanes(at + 7 * vectors, count, states, ptr(26), channel);
    storePart(ptr(23) + (<usize>channel << 2), v128.load(at + 8 * vectors), count);
    storePart(ptr(24) + (<usize>channel << 2), v128.load(at + 8 * vectors, 16), count);
  }
}

/** Adds a block's runs [N][tokens] up over the tokens, to `to` [N], and clears them. */
function takeRuns(runs: usize, states: i32, count: i32, token: usize, to: usize): void {
  for (let n = 0; n < states; n++) {
    let acc = f32x4.splat(0);
    for (let t = 0; t < count; t++) {
      const at = runs + <usize>n * RUN + token + (<usize>t << 4);
      acc = f32x4.add(acc, v128.load(at));
      v128.store(at, f32x4.splat(0));
    }
    v128.store(to + (<usize>n << 4), f32x4.add(v128.load(to + (<usize>n << 4)), acc));
  }
}

/** Sums over the lanes of a block's runs [N][tokens], to [tokens, N]. */
function writeRuns(runs: usize, states: i32, count: i32, to: usize): void {
  for (let t = 0; t < count; t++) {
    const at = runs + (<usize>t << 4);
    for (let n = 0; n < states; n += 4) {
      const r = at + <usize>n * RUN;
      // Past the last state: the history's end or dC; those lanes are not stored.
      storePart(
        to + (n << 2),
        sums(v128.load(r), v128.load(r, RUN), v128.load(r, 2 * RUN), v128.load(r, 3 * RUN)),
        states - n,
      );
    }
    to += <usize>states << 2;
  }
}
