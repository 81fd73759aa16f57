/*
 * Causal depthwise convolution, channels in lanes. A piece is a block of BLOCK channels of one row of the batch (backward: of
 * all rows, so that the weight's gradient is summed by one thread): a cache line of every token, and the block's weights
 * transposed to [W][BLOCK] in scratch memory. Where a tap reaches before the sequence it reads the initial state, and
 * where it reaches into another sequence a line of zeros.
 */
import { ZEROS } from '../src/layout';
import { int, ptr } from './args';
import { siluSlope } from './elementwise';
import { loadPart, madd, min, sigmoid4, storePart, storeTransposed, zeroWords } from './simd';

const BLOCK: i32 = 16;
const LINE: usize = 64;

/** What the kernels of a convolution share, of one row of the batch and one block of channels. */
let _x: usize = 0;
let _initial: usize = 0;
let _seq: usize = 0;
let _stride: usize = 0;
let _width: i32 = 0;

/** Arguments 0 to 4: x, weight, bias or 0, initial state or 0, seqIdx or 0; 5 L, 6 D, 7 W, 8 silu, 9 B. */
@inline function enter(batch: i32, first: i32): void {
  const d = int(6);
  _width = int(7);
  _stride = <usize>d << 2;
  _x = ptr(0) + <usize>batch * int(5) * _stride + (first << 2);
  _initial = ptr(3) ? ptr(3) + <usize>batch * (_width - 1) * _stride + (first << 2) : 0;
  _seq = ptr(4) ? ptr(4) + (<usize>batch * int(5) << 2) : 0;
}

/** Whether the token at `time` (the initial state, if negative) is of the sequence of token `current`. */
@inline function alike(time: i32, current: i32): bool {
  if (!_seq) return true;
  return load<i32>(_seq + (time < 0 ? 0 : <usize>time << 2)) == load<i32>(_seq + (<usize>current << 2));
}

/** The block's inputs at `time`, as token `current` sees them. */
@inline function inputAt(time: i32, current: i32): usize {
  if (!alike(time, current)) return ZEROS;
  if (time >= 0) return _x + <usize>time * _stride;
  return _initial ? _initial + <usize>(time + _width - 1) * _stride : ZEROS;
}

/** The block's weights to [W][BLOCK], its bias behind them; zeros past the last channel. */
function gatherWeights(first: i32, channels: i32, to: usize): void {
  for (let c = 0; c < BLOCK; c++) {
    for (let j = 0; j < _width; j++) {
      store<f32>(
        to + <usize>j * LINE + (c << 2),
        c < channels ? load<f32>(ptr(1) + (<usize>(first + c) * _width + j << 2)) : 0,
      );
    }
    const at = to + <usize>_width * LINE + (c << 2);
    store<f32>(at, c < channels && ptr(2) ? load<f32>(ptr(2) + (first + c << 2)) : 0);
  }
}

/** bias + sum over taps, before the activation: one line at `out`. Lanes past the last channel hold their neighbours' numbers. */
@inline function convolve(time: i32, weights: usize, taps: usize, out: usize): void {
  for (let j = 0; j < _width; j++) store<usize>(taps + (j << 2), inputAt(time - _width + 1 + j, time));
  for (let lane: usize = 0; lane < LINE; lane += 16) {
    let acc = v128.load(weights + <usize>_width * LINE + lane);
    let w = weights + lane;
    for (let j = 0; j < _width; j++, w += LINE) {
      acc = madd(v128.load(load<usize>(taps + (j << 2)) + lane), v128.load(w), acc);
    }
    v128.store(out + lane, acc);
  }
}

/** The same with W = 4, the width of every published model. */
@inline function convolve4(x0: usize, x1: usize, x2: usize, x3: usize, weights: usize, out: usize): void {
  for (let lane: usize = 0; lane < LINE; lane += 16) {
    let acc = madd(v128.load(x0 + lane), v128.load(weights + lane), v128.load(weights + 4 * LINE + lane));
    acc = madd(v128.load(x1 + lane), v128.load(weights + lane, 64), acc);
    acc = madd(v128.load(x2 + lane), v128.load(weights + lane, 128), acc);
    acc = madd(v128.load(x3 + lane), v128.load(weights + lane, 192), acc);
    v128.store(out + lane, acc);
  }
}

@inline function convolveAt(time: i32, weights: usize, taps: usize, out: usize): void {
  if (_width == 4 && time >= 3 && !_seq) {
    const x3 = _x + <usize>time * _stride;
    convolve4(x3 - 3 * _stride, x3 - 2 * _stride, x3 - _stride, x3, weights, out);
  } else {
    convolve(time, weights, taps, out);
  }
}

/** Copies `channels` floats. */
@inline function copyLine(from: usize, to: usize, channels: i32): void {
  for (let c = 0; c < channels; c += 4) storePart(to + (c << 2), loadPart(from + (c << 2), channels - c), channels - c);
}

/** 10 y, 11 last state. A piece: a block of channels of a row of the batch. Scratch: W + 2 lines and W addresses. */
export function conv(piece: i32, scratch: usize): void {
  const d = int(6);
  const length = int(5);
  const blocks = (d + BLOCK - 1) / BLOCK;
  const batch = piece / blocks;
  const first = piece % blocks * BLOCK;
  const channels = min(BLOCK, d - first);
  enter(batch, first);
  const line = scratch + <usize>(_width + 1) * LINE;
  const taps = line + LINE;
  gatherWeights(first, channels, scratch);
  let y = ptr(10) + <usize>batch * length * _stride + (first << 2);
  const silu = int(8) != 0;
  for (let t = 0; t < length; t++) {
    convolveAt(t, scratch, taps, line);
    for (let c = 0; c < channels; c += 4) {
      let v = v128.load(line + (c << 2));
      if (silu) v = f32x4.mul(v, sigmoid4(v));
      storePart(y + (c << 2), v, channels - c);
    }
    y += _stride;
  }
  for (let j = 0; j < _width - 1; j++) {
    const to = ptr(11) + (<usize>batch * (_width - 1) + j) * _stride + (first << 2);
    copyLine(inputAt(length - _width + 1 + j, length - 1), to, channels);
  }
}

/** Adds what the tokens after `time` pass back to the input at `time`: at most W - 1 ahead. */
@inline function gather(time: i32, length: i32, slopes: usize, weights: usize, lane: usize, acc: v128): v128 {
  for (let j = 0; j < _width; j++) {
    const t = time + _width - 1 - j;
    if (t < 0 || t >= length || !alike(time, t)) continue;
    acc = madd(v128.load(slopes + <usize>t * LINE + lane), v128.load(weights + <usize>j * LINE + lane), acc);
  }
  return acc;
}

/**
 * 10 dy, 11 gradient of the last state or 0, 12 dx, 13 dweight, 14 dbias or 0, 15 gradient of the initial state or 0.
 * A piece: a block of channels. Scratch: L + 2 W + 3 lines and W addresses.
 */
export function convBackward(piece: i32, scratch: usize): void {
  const d = int(6);
  const length = int(5);
  const batches = int(9);
  const silu = int(8) != 0;
  const first = piece * BLOCK;
  const channels = min(BLOCK, d - first);
  enter(0, first);
  const dweight = scratch + <usize>(_width + 1) * LINE;
  const taps = dweight + <usize>(_width + 1) * LINE;
  const slopes = taps + (<usize>_width * 4 + LINE - 1 & ~(LINE - 1));
  gatherWeights(first, channels, scratch);
  zeroWords(dweight, <usize>(_width + 1) * LINE);
  for (let batch = 0; batch < batches; batch++) {
    enter(batch, first);
    const row = <usize>batch * length * _stride + (first << 2);
    // Gradient before the activation, and with it the weight's.
    for (let t = 0; t < length; t++) {
      const g = slopes + <usize>t * LINE;
      const dy = ptr(10) + row + <usize>t * _stride;
      if (silu) convolveAt(t, scratch, taps, g);
      for (let c = 0; c < BLOCK; c += 4) {
        const at = g + (c << 2);
        if (c >= channels) {
          v128.store(at, f32x4.splat(0));
          continue;
        }
        let v = loadPart(dy + (c << 2), channels - c);
        if (silu) v = f32x4.mul(v, siluSlope(v128.load(at)));
        v128.store(at, v);
      }
      for (let j = 0; j <= _width; j++) {
        const x = j < _width ? inputAt(t - _width + 1 + j, t) : 0;
        for (let lane: usize = 0; lane < LINE; lane += 16) {
          const at = dweight + <usize>j * LINE + lane;
          const v = v128.load(g + lane);
          v128.store(at, x ? madd(v128.load(x + lane), v, v128.load(at)) : f32x4.add(v, v128.load(at)));
        }
      }
    }
    for (let s = 1 - _width; s < length; s++) {
      const initial = s < 0;
      if (initial && !ptr(15)) continue;
      const to = initial
        ? ptr(15) + <usize>(batch * (_width - 1) + s + _width - 1) * _stride + (first << 2)
        : ptr(12) + row + <usize>s * _stride;
      const k = s - length + _width - 1;
      const last = ptr(11) && k >= 0 && alike(s, length - 1)
        ? ptr(11) + <usize>(batch * (_width - 1) + k) * _stride + (first << 2)
        : 0;
      for (let c = 0; c < channels; c += 4) {
        const acc = last ? loadPart(last + (c << 2), channels - c) : f32x4.splat(0);
        storePart(to + (c << 2), gather(s, length, slopes, scratch, c << 2, acc), channels - c);
      }
    }
  }
  for (let c = 0; c < channels; c++) {
    for (let j = 0; j < _width; j++) {
      store<f32>(
        ptr(13) + (<usize>(first + c) * _width + j << 2),
        load<f32>(dweight + <usize>j * LINE + (c << 2)),
      );
    }
    if (ptr(14)) store<f32>(ptr(14) + (first + c << 2), load<f32>(dweight + <usize>_width * LINE + (c << 2)));
  }
}

/** Four channels' weights for tap `tap`, [D, W] -> lanes. */
@inline function tapOf(weights: usize, width: i32, tap: i32, count: i32): v128 {
  const step = <usize>width << 2;
  let w = v128.load32_zero(weights + (tap << 2));
  if (count > 1) w = v128.load_lane<f32>(weights + step + (tap << 2), w, 1);
  if (count > 2) w = v128.load_lane<f32>(weights + 2 * step + (tap << 2), w, 2);
  if (count > 3) w = v128.load_lane<f32>(weights + 3 * step + (tap << 2), w, 3);
  return w;
}

/**
 * One token: y = conv, and the state moves up by one. 0 x, 1 weight, 2 bias or 0, 3 state, 4 M, 5 channels of a piece, a multiple of
 * four, 6 D, 7 W, 8 silu, 9 how many elements x's rows are apart, 10 y. A piece: its channels of every row. Scratch: four vectors.
 */
export function convStep(piece: i32, scratch: usize): void {
  const d = int(6);
  const width = int(7);
  const stride = <usize>d << 2;
  const first = piece * int(5);
  const end = min(d, first + int(5));
  for (let batch = 0, m = int(4); batch < m; batch++) {
    for (let channel = first; channel < end; channel += 4) {
      const count = end - channel;
      const lane = <usize>channel << 2;
      const weights = ptr(1) + <usize>channel * (width << 2);
      let acc = ptr(2) ? v128.load(ptr(2) + lane) : f32x4.splat(0);
      let row = ptr(3) + <usize>batch * (width - 1) * stride + lane;
      const now = loadPart(ptr(0) + (<usize>batch * int(9) << 2) + lane, count);
      if (width == 4 && count >= 4) {
        // What models have.
        storeTransposed(
          v128.load(weights), v128.load(weights, 16), v128.load(weights, 32), v128.load(weights, 48), scratch, 16,
        );
        const v0 = v128.load(row), v1 = v128.load(row + stride), v2 = v128.load(row + 2 * stride);
        acc = madd(v0, v128.load(scratch), acc);
        acc = madd(v1, v128.load(scratch, 16), acc);
        acc = madd(v2, v128.load(scratch, 32), acc);
        acc = madd(now, v128.load(scratch, 48), acc);
        v128.store(row, v1);
        v128.store(row + stride, v2);
        v128.store(row + 2 * stride, now);
      } else {
        for (let j = 0; j < width - 1; j++) {
          const v = loadPart(row, count);
          acc = madd(v, tapOf(weights, width, j, count), acc);
          if (j > 0) storePart(row - stride, v, count);
          row += stride;
        }
        acc = madd(now, tapOf(weights, width, width - 1, count), acc);
        if (width > 1) storePart(row - stride, now, count);
      }
      if (int(8)) acc = f32x4.mul(acc, sigmoid4(acc));
      storePart(ptr(10) + <usize>batch * stride + lane, acc, count);
    }
  }
}
