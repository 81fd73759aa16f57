import type { ComplexVector } from './complex.js';
import { hippoLegS, normalEigen } from './hippo.js';

/*
 * Diagonal initialisations of A (Gu et al. 2022, arXiv 2206.11893). `states` is N, the size of the real state; the complex
 * ones hold N/2 numbers, one of each conjugate pair, that with the positive imaginary part.
 */

/**
 * S4D-Real: A_n = -(n + 1) for n = 0..N-1, Mamba's default.
 * @throws RangeError unless `states` is a positive integer
 */
export function s4dReal(states: number): Float64Array {
  checkStates(states, 1, 's4dReal');
  return Float64Array.from({ length: states }, (_, n) => -(n + 1));
}

/**
 * Mamba's `A_log`, [channels, states] row-major: every row is log(1), ..., log(N), so that A = -exp(A_log) is S4D-Real.
 * @throws RangeError unless `states` is a positive integer
 */
export function s4dRealALog(channels: number, states: number): Float64Array {
  checkStates(states, 1, 's4dRealALog');
  return Float64Array.from({ length: channels * states }, (_, i) => Math.log((i % states) + 1));
}

/**
 * S4D-Lin: A_n = -1/2 + i π n for n = 0..N/2-1. The Mamba paper writes its complex default as -1/2 + n i: that is
 * `spacing` 1.
 * @throws RangeError unless `states` is positive and even
 */
export function s4dLin(states: number, spacing: number = Math.PI): ComplexVector {
  return onHalfLine(states, 's4dLin', (n) => spacing * n);
}

/**
 * S4D-Inv: A_n = -1/2 + i N/π (N / (2n + 1) - 1), the shape that the eigenvalues of HiPPO-LegS take for large N.
 * @throws RangeError unless `states` is positive and even
 */
export function s4dInv(states: number): ComplexVector {
  return onHalfLine(states, 's4dInv', (n) => (states / Math.PI) * (states / (2 * n + 1) - 1));
}

/**
 * S4D-LegS: the eigenvalues of the normal part of HiPPO-LegS, by increasing imaginary part. O(N³).
 * @throws RangeError unless `states` is positive and even
 */
export function s4dLegS(states: number): ComplexVector {
  checkStates(states, 2, 's4dLegS');
  return normalEigen(hippoLegS(states)).values;
}

function onHalfLine(states: number, where: string, imaginary: (n: number) => number): ComplexVector {
  checkStates(states, 2, where);
  const half = states / 2;
  return {
    re: new Float64Array(half).fill(-0.5),
    im: Float64Array.from({ length: half }, (_, n) => imaginary(n)),
  };
}

function checkStates(states: number, multipleOf: 1 | 2, where: string): void {
  if (!Number.isSafeInteger(states) || states < 1 || states % multipleOf !== 0) {
    const want =
      multipleOf === 2 ? 'positive and even (states come in conjugate pairs)' : 'a positive integer';
    throw new RangeError(`${where}: the number of states must be ${want}, not ${states}`);
  }
}
