/*
 * The selective scan in every other form: complex A, zero-order hold for B, B and C constant or grouped in any way, packed. In
 * f64, a channel at a time: clear, exact, and some twenty times slower than the form of the published models.
 *
 * A real A is a complex one without imaginary part; then y = Re(C h), else y = 2 Re(C h), one of each conjugate pair being kept.
 * B and C are described by where a token's row starts and which row a channel has, so that all their forms are one:
 * at `base + batch * batchStep + t * step + (channel / share) * N`, in elements; the imaginary part has a base of its own or none.
 *
 * Arguments: 0 u, 1 delta, 2 A.re, 3 A.im or 0, 4 D or 0, 5 z or 0, 6 deltaBias or 0, 7 initial state re or 0, 8 im, 9 seqIdx or 0, 10 L, 11 D, 12 N,
 * 13 softplus, 14 zoh, 15 B.re, 16 B.im or 0, 17 its batchStep, 18 step, 19 share, 20 C.re, 21 C.im or 0, 22 batchStep, 23 step, 24 share,
 * from 25 on the results.
 */
import { int, ptr } from './args';
import { complexExp, complexPhi, expIm, expRe, phiIm, phiRe, slopeIm, slopeRe } from './complex';
import { copyWords, min, zeroWords } from './simd';

/** Channels of a piece of the forward pass. */
const CHANNELS: i32 = 4;
/** Tokens between the states that the backward pass keeps. */
const BLOCK_T: i32 = 128;

@inline function f32At(base: usize, index: i32): f64 {
  return load<f32>(base + (<usize>index << 2));
}

@inline function f32OrZero(base: usize, index: i32): f64 {
  return base ? load<f32>(base + (<usize>index << 2)) : 0;
}

@inline function put(base: usize, index: i32, value: f64): void {
  store<f32>(base + (<usize>index << 2), <f32>value);
}

@inline function accumulate(base: usize, index: i32, value: f64): void {
  if (base) store<f64>(base + (<usize>index << 3), load<f64>(base + (<usize>index << 3)) + value);
}

@inline function rowB(batch: i32, t: i32, channel: i32): i32 {
  return batch * int(17) + t * int(18) + channel / int(19) * int(12);
}

@inline function rowC(batch: i32, t: i32, channel: i32): i32 {
  return batch * int(22) + t * int(23) + channel / int(24) * int(12);
}

@inline function sigmoid(x: f64): f64 {
  return 1 / (1 + Math.exp(-x));
}

@inline function stepSize(raw: f64): f64 {
  if (!int(13) || raw > 20) return raw;
  return Math.log1p(Math.exp(raw));
}

@inline function startsAt(batch: i32, t: i32): bool {
  if (!ptr(9) || t == 0) return false;
  const at = ptr(9) + (<usize>(batch * int(10) + t) << 2);
  return load<i32>(at) != load<i32>(at - 4);
}

/** exp(Δ A) and, for zero-order hold, phi(Δ A) into the globals; phi is 1 otherwise. */
@inline function discretize(delta: f64, aRe: f64, aIm: f64): void {
  if (int(14)) complexPhi(delta * aRe, delta * aIm);
  else {
    complexExp(delta * aRe, delta * aIm);
  }
}

/** One token of one channel: `h` [N] pairs of f64 moves on; returns y before skip and gate. */
function step(batch: i32, t: i32, channel: i32, delta: f64, u: f64, h: usize): f64 {
  const states = int(12);
  const zoh = int(14) != 0;
  const b = rowB(batch, t, channel);
  const c = rowC(batch, t, channel);
  let y: f64 = 0;
  for (let n = 0; n < states; n++) {
    const i = channel * states + n;
    discretize(delta, f32At(ptr(2), i), f32OrZero(ptr(3), i));
    let inRe = f32At(ptr(15), b + n) * delta * u;
    let inIm = f32OrZero(ptr(16), b + n) * delta * u;
    if (zoh) {
      const re = inRe * phiRe - inIm * phiIm;
      inIm = inRe * phiIm + inIm * phiRe;
      inRe = re;
    }
    const at = h + (<usize>n << 4);
    const hRe = load<f64>(at);
    const hIm = load<f64>(at, 8);
    const nextRe = expRe * hRe - expIm * hIm + inRe;
    const nextIm = expRe * hIm + expIm * hRe + inIm;
    store<f64>(at, nextRe);
    store<f64>(at, nextIm, 8);
    y += f32At(ptr(20), c + n) * nextRe - f32OrZero(ptr(21), c + n) * nextIm;
  }
  return ptr(3) ? 2 * y : y;
}

/** A channel's state from [B, D, N] tensors to pairs of f64; zeros without. */
function loadState(re: usize, im: usize, row: i32, h: usize): void {
  for (let n = 0, states = int(12); n < states; n++) {
    store<f64>(h + (<usize>n << 4), f32OrZero(re, row * states + n));
    store<f64>(h + (<usize>n << 4), f32OrZero(im, row * states + n), 8);
  }
}

function storeState(re: usize, im: usize, row: i32, h: usize): void {
  for (let n = 0, states = int(12); n < states; n++) {
    put(re, row * states + n, load<f64>(h + (<usize>n << 4)));
    if (im) put(im, row * states + n, load<f64>(h + (<usize>n << 4), 8));
  }
}

/** 25 y, 26 last state re, 27 im or 0. A piece: four channels of a row of the batch. Scratch: N pairs of f64. */
export function generalScan(piece: i32, scratch: usize): void {
  const length = int(10);
  const d = int(11);
  const blocks = (d + CHANNELS - 1) / CHANNELS;
  const batch = piece / blocks;
  const first = piece % blocks * CHANNELS;
  for (let channel = first, end = min(d, first + CHANNELS); channel < end; channel++) {
    const bias = f32OrZero(ptr(6), channel);
    const skip = f32OrZero(ptr(4), channel);
    loadState(ptr(7), ptr(8), batch * d + channel, scratch);
    for (let t = 0; t < length; t++) {
      if (startsAt(batch, t)) zeroWords(scratch, <usize>int(12) << 4);
      const i = (batch * length + t) * d + channel;
      const u = f32At(ptr(0), i);
      let y = step(batch, t, channel, stepSize(f32At(ptr(1), i) + bias), u, scratch) + skip * u;
      if (ptr(5)) {
        const z = f32At(ptr(5), i);
        y *= z * sigmoid(z);
      }
      put(ptr(25), i, y);
    }
    storeState(ptr(26), ptr(27), batch * d + channel, scratch);
  }
}

/**
 * 25 dy, 26 gradient of the last state re or 0, 27 im, 28 du, 29 ddelta, 30 dz or 0, 31 gradient of the initial state re or 0, 32 im, then, f64 and
 * zero before, each row's of the batch: 33 dA [B, D, N, 2], 34 dD [B, D], 35 ddeltaBias [B, D]; and dB, dC, of which each element gets its
 * sum over a row of the batch: 36 dB.re, 37 dB.im or 0, 38 elements a row, 39 dC.re, 40 dC.im or 0, 41 elements a row; indexed as B and C are, but that a
 * constant one has a copy for each row of the batch.
 * A piece: a row of the batch. Scratch: (ceil(L / BLOCK_T) + BLOCK_T + 3) N pairs of f64 and BLOCK_T f64.
 */
export function generalScanBackward(piece: i32, scratch: usize): void {
  const batch = piece;
  const length = int(10);
  const d = int(11);
  const states = int(12);
  const zoh = int(14) != 0;
  const pairs = <usize>states << 4;
  const factor: f64 = ptr(3) ? 2 : 1;
  const g = scratch;
  const h = g + pairs;
  const history = h + pairs;
  const ys = history + pairs * (BLOCK_T + 1);
  const kept = ys + (BLOCK_T << 3);
  // A constant's rows have no batch; their sums have one.
  const bOffset = int(17) ? 0 : batch * int(38);
  const cOffset = int(22) ? 0 : batch * int(41);
  for (let channel = 0; channel < d; channel++) {
    const bias = f32OrZero(ptr(6), channel);
    const skip = f32OrZero(ptr(4), channel);
    const row = batch * d + channel;
    loadState(ptr(7), ptr(8), row, h);
    for (let t = 0; t < length; t++) {
      if (t % BLOCK_T == 0) copyWords(kept + <usize>(t / BLOCK_T) * pairs, h, pairs);
      if (startsAt(batch, t)) zeroWords(h, pairs);
      const i = (batch * length + t) * d + channel;
      step(batch, t, channel, stepSize(f32At(ptr(1), i) + bias), f32At(ptr(0), i), h);
    }
    loadState(ptr(26), ptr(27), row, g);
    for (let block = (length - 1) / BLOCK_T; block >= 0; block--) {
      const t0 = block * BLOCK_T;
      const t1 = min(length, t0 + BLOCK_T);
      copyWords(history, kept + <usize>block * pairs, pairs);
      for (let t = t0; t < t1; t++) {
        const now = history + <usize>(t - t0) * pairs;
        if (startsAt(batch, t)) zeroWords(now + pairs, pairs);
        else copyWords(now + pairs, now, pairs);
        const i = (batch * length + t) * d + channel;
        const y = step(batch, t, channel, stepSize(f32At(ptr(1), i) + bias), f32At(ptr(0), i), now + pairs);
        store<f64>(ys + (t - t0 << 3), y);
      }
      for (let t = t1 - 1; t >= t0; t--) {
        const i = (batch * length + t) * d + channel;
        const before = history + <usize>(t - t0) * pairs;
        const after = before + pairs;
        const u = f32At(ptr(0), i);
        const raw = f32At(ptr(1), i) + bias;
        const delta = stepSize(raw);
        let dy = f32At(ptr(25), i);
        if (ptr(5)) {
          const z = f32At(ptr(5), i);
          const s = sigmoid(z);
          put(ptr(30), i, dy * (load<f64>(ys + (t - t0 << 3)) + skip * u) * s * (1 + z * (1 - s)));
          dy *= z * s;
        }
        const b = rowB(batch, t, channel);
        const c = rowC(batch, t, channel);
        const fresh = startsAt(batch, t);
        let du = skip * dy;
        let ddelta: f64 = 0;
        for (let n = 0; n < states; n++) {
          const at = <usize>n << 4;
          const a = channel * states + n;
          const aRe = f32At(ptr(2), a), aIm = f32OrZero(ptr(3), a);
          discretize(delta, aRe, aIm);
          const bRe = f32At(ptr(15), b + n), bIm = f32OrZero(ptr(16), b + n);
          const cRe = f32At(ptr(20), c + n), cIm = f32OrZero(ptr(21), c + n);
          accumulate(ptr(39), cOffset + c + n, factor * dy * load<f64>(after + at));
          accumulate(ptr(40), cOffset + c + n, -factor * dy * load<f64>(after + at, 8));
          const gRe = load<f64>(g + at) + factor * dy * cRe;
          const gIm = load<f64>(g + at, 8) - factor * dy * cIm;
          // conj(e^x) g: what goes to the token before, and, times conj(h before), the gradient of x = Δ A through e^x.
          const backRe = expRe * gRe + expIm * gIm;
          const backIm = expRe * gIm - expIm * gRe;
          store<f64>(g + at, fresh ? 0 : backRe);
          store<f64>(g + at, fresh ? 0 : backIm, 8);
          const hRe = fresh ? 0 : load<f64>(before + at);
          const hIm = fresh ? 0 : load<f64>(before + at, 8);
          let xRe = backRe * hRe + backIm * hIm;
          let xIm = backIm * hRe - backRe * hIm;
          // The input is Δ phi B u, phi = 1 but for zero-order hold.
          const pRe = zoh ? phiRe : 1;
          const pIm = zoh ? phiIm : 0;
          const inRe = pRe * bRe - pIm * bIm, inIm = pRe * bIm + pIm * bRe;
          const through = gRe * inRe + gIm * inIm;
          du += through * delta;
          ddelta += through * u;
          const scale = delta * u;
          accumulate(ptr(36), bOffset + b + n, (gRe * pRe + gIm * pIm) * scale);
          accumulate(ptr(37), bOffset + b + n, (gIm * pRe - gRe * pIm) * scale);
          if (zoh) {
            const sRe = (slopeRe * bRe - slopeIm * bIm) * scale, sIm = (slopeRe * bIm + slopeIm * bRe) * scale;
            xRe += gRe * sRe + gIm * sIm;
            xIm += gIm * sRe - gRe * sIm;
          }
          ddelta += aRe * xRe + aIm * xIm;
          accumulate(ptr(33), (batch * d * states + a) * 2, delta * xRe);
          accumulate(ptr(33), (batch * d * states + a) * 2 + 1, delta * xIm);
        }
        if (int(13) && raw <= 20) ddelta *= sigmoid(raw);
        put(ptr(28), i, du);
        put(ptr(29), i, ddelta);
        accumulate(ptr(34), row, dy * u);
        accumulate(ptr(35), row, ddelta);
      }
    }
    if (ptr(31)) storeState(ptr(31), ptr(32), row, g);
  }
}

/**
 * y[i] = sum over r of x[r][i * step + offset], f64 to f32. 0 x, 1 rows, 2 results, 3 y, 4 step, 5 offset. A piece: 1024 results.
 */
export function sumToF32(piece: i32, scratch: usize): void {
  const rows = int(1);
  const n = int(2);
  const each = int(4);
  for (let i = piece << 10, end = min(n, i + 1024); i < end; i++) {
    let total: f64 = 0;
    for (let r = 0; r < rows; r++) {
      total += load<f64>(ptr(0) + ((<usize>r * n + i) * each + int(5) << 3));
    }
    put(ptr(3), i, total);
  }
}
