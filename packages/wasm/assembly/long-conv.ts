/*
 * Causal convolution with one long kernel a channel, directly: y_t = sum of k_j x_{t-j}, and its two gradients, which are sums of
 * products at a distance too. Channels are lanes; the four channels at hand are copied to runs of vectors in
 * scratch memory, with zeros beside them, so that eight sums at a time need no care at the ends: nine loads for eight
 * multiply-adds. That is as fast as a product of matrices; transforms would only win for lengths of several thousand.
 */
import { int, ptr } from './args';
import { loadPart, madd, min, storePart, zeroWords } from './simd';

/** Zeros before and after a run: as many as sums at a time. */
const MARGIN: usize = 128;
/** Terms that are summed before they are added to the total, to bound the rounding error. */
const TERMS: i32 = 256;

/** out[i] += sum over j < count of s[j] v[i + j * step], for eight i; `step` is 16 or -16 bytes. */
function correlate(s: usize, count: i32, v: usize, step: isize, out: usize): void {
  while (count > 0) {
    const terms = min(count, TERMS);
    const end = s + (<usize>terms << 4);
    let c0 = f32x4.splat(0), c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0, c6 = c0, c7 = c0;
    do {
      const k = v128.load(s);
      c0 = madd(k, v128.load(v), c0);
      c1 = madd(k, v128.load(v, 16), c1);
      c2 = madd(k, v128.load(v, 32), c2);
      c3 = madd(k, v128.load(v, 48), c3);
      c4 = madd(k, v128.load(v, 64), c4);
      c5 = madd(k, v128.load(v, 80), c5);
      c6 = madd(k, v128.load(v, 96), c6);
      c7 = madd(k, v128.load(v, 112), c7);
      s += 16;
      v += step;
    } while (s < end);
    v128.store(out, f32x4.add(v128.load(out), c0));
    v128.store(out, f32x4.add(v128.load(out, 16), c1), 16);
    v128.store(out, f32x4.add(v128.load(out, 32), c2), 32);
    v128.store(out, f32x4.add(v128.load(out, 48), c3), 48);
    v128.store(out, f32x4.add(v128.load(out, 64), c4), 64);
    v128.store(out, f32x4.add(v128.load(out, 80), c5), 80);
    v128.store(out, f32x4.add(v128.load(out, 96), c6), 96);
    v128.store(out, f32x4.add(v128.load(out, 112), c7), 112);
    count -= terms;
  }
}

/** [L, D] -> a run of four channels, between margins of zeros. */
function toRun(from: usize, length: i32, stride: usize, count: i32, run: usize): void {
  zeroWords(run, MARGIN);
  run += MARGIN;
  for (let t = 0; t < length; t++) {
    v128.store(run, loadPart(from, count));
    from += stride;
    run += 16;
  }
  zeroWords(run, MARGIN);
}

/** Rows of the kernel [D, K] -> a run. */
function kernelRun(from: usize, taps: i32, count: i32, run: usize): void {
  for (let j = 0; j < taps; j++) {
    for (let c = 0; c < 4; c++) {
      store<f32>(run + (j << 4) + (c << 2), c < count ? load<f32>(from + (<usize>c * taps + j << 2)) : 0);
    }
  }
}

/** 0 x, 1 kernel, 2 D or 0, 3 y, 4 L, 5 channels, 6 K. A piece: four channels of a row of the batch. Scratch: L + K + 24 vectors. */
export function longConv(piece: i32, scratch: usize): void {
  const length = int(4);
  const d = int(5);
  const taps = int(6);
  const blocks = d + 3 >> 2;
  const batch = piece / blocks;
  const channel = piece % blocks << 2;
  const count = d - channel;
  const stride = <usize>d << 2;
  const lane = <usize>channel << 2;
  const kernel = scratch + MARGIN;
  const x = kernel + (<usize>taps << 4) + MARGIN;
  const at = <usize>batch * length * stride + lane;
  kernelRun(ptr(1) + (<usize>channel * taps << 2), taps, count, kernel);
  toRun(ptr(0) + at, length, stride, count, x - MARGIN);
  const skip = ptr(2) ? v128.load(ptr(2) + lane) : f32x4.splat(0);
  for (let t = 0; t < length; t += 8) {
    for (let i = 0; i < 8; i++) {
      v128.store(scratch + (i << 4), ptr(2) ? f32x4.mul(skip, v128.load(x + (t + i << 4))) : skip);
    }
    correlate(kernel, min(taps, t + 8), x + (<usize>t << 4), -16, scratch);
    for (let i = 0; i < 8 && t + i < length; i++) {
      storePart(ptr(3) + at + <usize>(t + i) * stride, v128.load(scratch + (i << 4)), count);
    }
  }
}

/**
 * dx_s = sum of k_j dy_{s+j} + D dy_s, dk_j = sum of dy_t x_{t-j}, dD = sum of dy x.
 * 0 x, 1 kernel, 2 D or 0, 3 dy, 4 L, 5 channels, 6 K, 7 dx, 8 dkernel, 9 dD or 0, 10 B. A piece: four channels.
 * Scratch: 2 L + 2 K + 56 vectors.
 */
export function longConvBackward(piece: i32, scratch: usize): void {
  const length = int(4);
  const d = int(5);
  const taps = int(6);
  const channel = piece << 2;
  const count = d - channel;
  const stride = <usize>d << 2;
  const lane = <usize>channel << 2;
  const long = <usize>length << 4;
  const kernel = scratch + MARGIN;
  const dkernel = kernel + (<usize>taps << 4);
  const x = dkernel + (<usize>taps << 4) + 2 * MARGIN;
  const dy = x + long + 2 * MARGIN;
  kernelRun(ptr(1) + (<usize>channel * taps << 2), taps, count, kernel);
  zeroWords(dkernel, (<usize>taps << 4) + MARGIN);
  const skip = ptr(2) ? v128.load(ptr(2) + lane) : f32x4.splat(0);
  let dSkip = f32x4.splat(0);
  for (let batch = 0, batches = int(10); batch < batches; batch++) {
    const at = <usize>batch * length * stride + lane;
    toRun(ptr(0) + at, length, stride, count, x - MARGIN);
    toRun(ptr(3) + at, length, stride, count, dy - MARGIN);
    for (let s = 0; s < length; s += 8) {
      for (let i = 0; i < 8; i++) {
        v128.store(scratch + (i << 4), ptr(2) ? f32x4.mul(skip, v128.load(dy + (s + i << 4))) : skip);
      }
      correlate(kernel, min(taps, length - s), dy + (<usize>s << 4), 16, scratch);
      for (let i = 0; i < 8 && s + i < length; i++) {
        storePart(ptr(7) + at + <usize>(s + i) * stride, v128.load(scratch + (i << 4)), count);
      }
    }
    for (let j = 0, end = min(taps, length); j < end; j += 8) {
      // Sum i of the eight is that of tap j + 7 - i.
      for (let i = 0; i < 8; i++) v128.store(scratch + (i << 4), v128.load(dkernel + (j + 7 - i << 4)));
      correlate(dy + (<usize>j << 4), length - j, x - 112, 16, scratch);
      for (let i = 0; i < 8; i++) {
        if (j + 7 - i < taps) v128.store(dkernel + (j + 7 - i << 4), v128.load(scratch + (i << 4)));
      }
    }
    if (ptr(9)) {
      for (let i: usize = 0; i < long; i += 16) dSkip = madd(v128.load(dy + i), v128.load(x + i), dSkip);
    }
  }
  for (let j = 0; j < taps; j++) {
    for (let c = 0; c < 4 && c < count; c++) {
      store<f32>(ptr(8) + (<usize>(channel + c) * taps + j << 2), load<f32>(dkernel + (j << 4) + (c << 2)));
    }
  }
  if (ptr(9)) storePart(ptr(9) + lane, dSkip, count);
}
