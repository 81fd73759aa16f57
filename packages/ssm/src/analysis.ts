import { type ComplexVector, complexVector } from './complex.js';
import { type DiagonalSSM, isReal, stateCount } from './ssm.js';

/**
 * All poles of a diagonal model, from its A (poles of a continuous model; stable where Re < 0) or Ā (of a discrete one;
 * stable where |pole| < 1). A complex A holds one of each conjugate pair: the poles are those, then their conjugates.
 */
export function poles(A: Float64Array | ComplexVector): ComplexVector {
  if (A instanceof Float64Array) return { re: A.slice(), im: new Float64Array(A.length) };
  const held = A.re.length;
  const all = complexVector(2 * held);
  all.re.set(A.re);
  all.re.set(A.re, held);
  all.im.set(A.im);
  for (let n = 0; n < held; n++) all.im[held + n] = -A.im[n]!;
  return all;
}

/**
 * How long each state remembers: the time in which it decays by the factor e, τ_n = -1 / Re A_n, in units of time
 * (divide by Δ for steps). Infinity where nothing decays (Re A_n >= 0).
 */
export function timeConstants(A: Float64Array | ComplexVector): Float64Array {
  const real = A instanceof Float64Array ? A : A.re;
  return real.map((a) => (a < 0 ? -1 / a : Number.POSITIVE_INFINITY));
}

/** The same of a discrete model, in steps: τ_n = -1 / ln|Ā_n|. Infinity where |Ā_n| >= 1, 0 where Ā_n = 0. */
export function discreteTimeConstants(A: Float64Array | ComplexVector): Float64Array {
  const magnitude =
    A instanceof Float64Array ? A.map(Math.abs) : A.re.map((re, n) => Math.hypot(re, A.im[n]!));
  return magnitude.map((r) => (r < 1 ? -1 / Math.log(r) : Number.POSITIVE_INFINITY));
}

/** The time in which each state halves: ln 2 times {@link timeConstants}. */
export function halfLives(A: Float64Array | ComplexVector): Float64Array {
  return timeConstants(A).map((tau) => Math.LN2 * tau);
}

/** The number of steps, not rounded, in which each state of a discrete model halves: ln 2 times {@link discreteTimeConstants}. */
export function discreteHalfLives(A: Float64Array | ComplexVector): Float64Array {
  return discreteTimeConstants(A).map((tau) => Math.LN2 * tau);
}

/**
 * The memory half-life of a whole model, from its kernel: how many of the newest inputs carry half of the weight, the
 * smallest m with Σ_{l < m} |K_l| >= 1/2 Σ |K_l|. For one decaying real state it is the state's half-life, rounded up. 0 for
 * a kernel of zeros.
 */
export function memoryHalfLife(kernel: Float64Array): number {
  const total = kernel.reduce((sum, k) => sum + Math.abs(k), 0);
  let m = 0;
  for (let sum = 0; sum < total / 2; m++) sum += Math.abs(kernel[m]!);
  return m;
}

/**
 * The impulse response C e^{At} B of a continuous diagonal model (2 Re of it for a complex one) at each of `times`. That
 * of a discrete model is its kernel: `diagonalKernel`.
 * @throws RangeError if A, B and C differ in length
 */
export function impulseResponse(ssm: DiagonalSSM, times: Float64Array): Float64Array {
  const states = stateCount(ssm, 'impulseResponse');
  if (isReal(ssm)) {
    const { A, B, C } = ssm;
    return times.map((t) => {
      let sum = 0;
      for (let n = 0; n < states; n++) sum += C[n]! * B[n]! * Math.exp(A[n]! * t);
      return sum;
    });
  }
  const { A, B, C } = ssm;
  const weight = complexVector(states);
  for (let n = 0; n < states; n++) {
    weight.re[n] = C.re[n]! * B.re[n]! - C.im[n]! * B.im[n]!;
    weight.im[n] = C.re[n]! * B.im[n]! + C.im[n]! * B.re[n]!;
  }
  return times.map((t) => {
    let sum = 0;
    for (let n = 0; n < states; n++) {
      const angle = A.im[n]! * t;
      sum += Math.exp(A.re[n]! * t) * (weight.re[n]! * Math.cos(angle) - weight.im[n]! * Math.sin(angle));
    }
    return 2 * sum;
  });
}
