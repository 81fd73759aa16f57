/* h_t = a_t h_{t-1} + b_t, channels in lanes. A piece: 16 channels, a cache line of every token, of one row of the batch. */
import { int, ptr } from './args';
import { loadPart, madd, min, storePart } from './simd';

/** 0 a, 1 b, 2 initial state or 0, 3 h, 4 last state, 5 L, 6 D */
export function recurrence(piece: i32, scratch: usize): void {
  const length = int(5);
  const d = int(6);
  const blocks = d + 15 >> 4;
  const batch = piece / blocks;
  const first = piece % blocks << 4;
  const stride = <usize>d << 2;
  for (let channel = first, end = min(d, first + 16); channel < end; channel += 4) {
    const count = end - channel;
    const lane = <usize>channel << 2;
    const state = <usize>batch * stride + lane;
    let h = ptr(2) ? loadPart(ptr(2) + state, count) : f32x4.splat(0);
    let at = <usize>batch * length * stride + lane;
    for (let t = 0; t < length; t++) {
      h = madd(loadPart(ptr(0) + at, count), h, loadPart(ptr(1) + at, count));
      storePart(ptr(3) + at, h, count);
      at += stride;
    }
    storePart(ptr(4) + state, h, count);
  }
}

/**
 * g_t = dh_t + a_{t+1} g_{t+1}; db = g, da_t = g_t h_{t-1}. db holds h until g replaces it.
 * 0 a, 1 b, 2 initial state or 0, 3 dh, 4 gradient of the last state or 0, 5 L, 6 D, 7 da, 8 db, 9 gradient of the initial state or 0
 */
export function recurrenceBackward(piece: i32, scratch: usize): void {
  const length = int(5);
  const d = int(6);
  const blocks = d + 15 >> 4;
  const batch = piece / blocks;
  const first = piece % blocks << 4;
  const stride = <usize>d << 2;
  for (let channel = first, end = min(d, first + 16); channel < end; channel += 4) {
    const count = end - channel;
    const lane = <usize>channel << 2;
    const state = <usize>batch * stride + lane;
    const initial = ptr(2) ? loadPart(ptr(2) + state, count) : f32x4.splat(0);
    let h = initial;
    let at = <usize>batch * length * stride + lane;
    for (let t = 0; t < length; t++) {
      h = madd(loadPart(ptr(0) + at, count), h, loadPart(ptr(1) + at, count));
      storePart(ptr(8) + at, h, count);
      at += stride;
    }
    let g = ptr(4) ? loadPart(ptr(4) + state, count) : f32x4.splat(0);
    for (let t = length - 1; t >= 0; t--) {
      at -= stride;
      g = f32x4.add(g, loadPart(ptr(3) + at, count));
      const before = t > 0 ? loadPart(ptr(8) + at - stride, count) : initial;
      storePart(ptr(7) + at, f32x4.mul(g, before), count);
      storePart(ptr(8) + at, g, count);
      g = f32x4.mul(g, loadPart(ptr(0) + at, count));
    }
    if (ptr(9)) storePart(ptr(9) + state, g, count);
  }
}
