import { checkLength, type DenseSSM, type DiagonalSSM, denseStateCount, isReal, stateCount } from './ssm.js';

/**
 * The kernel of a discrete diagonal model, K_l = C Ā^l B̄ for l = 0..length-1 (2 Re of it for a complex model): a product
 * with the Vandermonde matrix Ā_n^l. O(N L), with powers by repeated multiplication, so the l-th one has a relative error
 * of about l · 2^-53, which is what the rounding of Ā itself costs.
 * @throws RangeError if A, B and C differ in length, or `length` is not a whole number
 */
export function diagonalKernel(ssm: DiagonalSSM, length: number): Float64Array {
  const states = stateCount(ssm, 'diagonalKernel');
  checkLength(length, 'diagonalKernel');
  const kernel = new Float64Array(length);
  if (isReal(ssm)) {
    for (let n = 0; n < states; n++) {
      const a = ssm.A[n]!;
      let term = ssm.C[n]! * ssm.B[n]!;
      for (let l = 0; l < length; l++) {
        kernel[l]! += term;
        term *= a;
      }
    }
    return kernel;
  }
  const { A, B, C } = ssm;
  for (let n = 0; n < states; n++) {
    const ar = A.re[n]!;
    const ai = A.im[n]!;
    let re = 2 * (C.re[n]! * B.re[n]! - C.im[n]! * B.im[n]!);
    let im = 2 * (C.re[n]! * B.im[n]! + C.im[n]! * B.re[n]!);
    for (let l = 0; l < length; l++) {
      kernel[l]! += re;
      const next = re * ar - im * ai;
      im = re * ai + im * ar;
      re = next;
    }
  }
  return kernel;
}

/**
 * The kernel K_l = C Ā^l B̄ of a discrete dense model, by its definition: O(N² L).
 * @throws RangeError if the shapes do not fit, or `length` is not a whole number
 */
export function denseKernel(ssm: DenseSSM, length: number): Float64Array {
  const states = denseStateCount(ssm, 'denseKernel');
  checkLength(length, 'denseKernel');
  let state = ssm.B;
  return Float64Array.from({ length }, (_, l) => {
    if (l > 0) {
      const previous = state;
      state = previous.map((_, i) => dot(ssm.A.subarray(i * states, (i + 1) * states), previous));
    }
    return dot(ssm.C, state);
  });
}

/** Σ a_n b_n */
export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let n = 0; n < a.length; n++) sum += a[n]! * b[n]!;
  return sum;
}
