/*
 * Kernel of S4D under zero-order hold, in f64: K_l = 2 Re sum over n of C_n q_n w_n^l, w = exp(dt A), q = (w - 1) / A = dt phi(dt A).
 * A piece is a channel; its powers are products, one after another.
 */
import { zeroWords } from './simd';
import { int, ptr } from './args';
import {
  complexPhi, expIm, expRe, phiIm, phiRe, slopeIm, slopeRe,
} from './complex';

@inline function at(base: usize, index: i32): f64 {
  return load<f32>(base + (<usize>index << 2));
}

/** 0 dt, 1 A.re, 2 A.im, 3 C.re, 4 C.im, 5 kernel, 6 N, 7 length. A piece: a channel. Scratch: length f64. */
export function s4dKernel(piece: i32, scratch: usize): void {
  const states = int(6);
  const length = int(7);
  const dt = at(ptr(0), piece);
  zeroWords(scratch, <usize>length << 3);
  for (let n = 0; n < states; n++) {
    const i = piece * states + n;
    complexPhi(dt * at(ptr(1), i), dt * at(ptr(2), i));
    const wRe = expRe, wIm = expIm;
    const cRe = at(ptr(3), i), cIm = at(ptr(4), i);
    let re = 2 * dt * (cRe * phiRe - cIm * phiIm);
    let im = 2 * dt * (cRe * phiIm + cIm * phiRe);
    for (let to = scratch, end = scratch + (<usize>length << 3); to < end; to += 8) {
      store<f64>(to, load<f64>(to) + re);
      const next = re * wRe - im * wIm;
      im = re * wIm + im * wRe;
      re = next;
    }
  }
  for (let l = 0; l < length; l++) {
    store<f32>(ptr(5) + (<usize>piece * length + l << 2), <f32>load<f64>(scratch + (l << 3)));
  }
}

/**
 * With S = sum of dK_l conj(w^l) and T = sum of l dK_l conj(w^l): dC = 2 conj(q) S; through q, x = dt A: dq = 2 conj(C) S;
 * dx = conj(dt phi'(x)) dq + 2 conj(C q) T; dA = dt dx; ddt = sum over n of Re(conj(phi) dq) + Re(conj(A) dx).
 * 0 to 4 as above, 5 dkernel, 6 N, 7 length, 8 ddt, 9 dA.re, 10 dA.im, 11 dC.re, 12 dC.im. A piece: a channel.
 */
export function s4dKernelBackward(piece: i32, scratch: usize): void {
  const states = int(6);
  const length = int(7);
  const dt = at(ptr(0), piece);
  let ddt: f64 = 0;
  for (let n = 0; n < states; n++) {
    const i = piece * states + n;
    const aRe = at(ptr(1), i), aIm = at(ptr(2), i);
    complexPhi(dt * aRe, dt * aIm);
    const cRe = at(ptr(3), i), cIm = at(ptr(4), i);
    let re: f64 = 1, im: f64 = 0;
    let sRe: f64 = 0, sIm: f64 = 0, tRe: f64 = 0, tIm: f64 = 0;
    for (let l = 0; l < length; l++) {
      const dk = at(ptr(5), piece * length + l);
      sRe += dk * re;
      sIm -= dk * im;
      tRe += dk * <f64>l * re;
      tIm -= dk * <f64>l * im;
      const next = re * expRe - im * expIm;
      im = re * expIm + im * expRe;
      re = next;
    }
    const qRe = dt * phiRe, qIm = dt * phiIm;
    store<f32>(ptr(11) + (i << 2), <f32>(2 * (qRe * sRe + qIm * sIm)));
    store<f32>(ptr(12) + (i << 2), <f32>(2 * (qRe * sIm - qIm * sRe)));
    const dqRe = 2 * (cRe * sRe + cIm * sIm), dqIm = 2 * (cRe * sIm - cIm * sRe);
    const cqRe = cRe * qRe - cIm * qIm, cqIm = cRe * qIm + cIm * qRe;
    const dxRe = dt * (slopeRe * dqRe + slopeIm * dqIm) + 2 * (cqRe * tRe + cqIm * tIm);
    const dxIm = dt * (slopeRe * dqIm - slopeIm * dqRe) + 2 * (cqRe * tIm - cqIm * tRe);
    store<f32>(ptr(9) + (i << 2), <f32>(dt * dxRe));
    store<f32>(ptr(10) + (i << 2), <f32>(dt * dxIm));
    ddt += phiRe * dqRe + phiIm * dqIm + aRe * dxRe + aIm * dxIm;
  }
  store<f32>(ptr(8) + (piece << 2), <f32>ddt);
}
