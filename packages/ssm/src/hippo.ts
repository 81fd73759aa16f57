import { type ComplexVector, complexVector } from './complex.js';
import type { DplrSSM } from './dplr.js';
import { hermitianEigen } from './eigen.js';

/**
 * A HiPPO operator: the state of h' = A h + B u holds the coefficients of u's past in a basis of polynomials, so it is a
 * running compression of the past (Gu et al. 2020, arXiv 2008.07669).
 */
export interface Hippo {
  /** [N, N] row-major */
  readonly A: Float64Array;
  /** [N] */
  readonly B: Float64Array;
  /** Rank times [N]: A + Σ P Pᵀ is a normal matrix, s I + skew-symmetric. */
  readonly P: readonly Float64Array[];
}

/**
 * HiPPO-LegS, the whole past on Legendre polynomials:
 * A_nk = -√((2n+1)(2k+1)) for n > k, -(n+1) for n = k, 0 for n < k; B_n = √(2n+1); rank 1, P_n = √(n + 1/2).
 * As LTI model (S4) it has the exponentially decaying measure; the time-varying original divides A and B by t.
 * @throws RangeError unless `states` is a positive integer
 */
export function hippoLegS(states: number): Hippo {
  checkStates(states, 'hippoLegS');
  const root = roots(states);
  return {
    A: fill(states, (n, k) => (n > k ? -root[n]! * root[k]! : n === k ? -(n + 1) : 0)),
    B: root,
    P: [root.map((r) => r * Math.SQRT1_2)],
  };
}

/**
 * HiPPO-LegT, a sliding window of the past (2 units of time) on Legendre polynomials:
 * A_nk = -1/2 √((2n+1)(2k+1)) times (-1)^(n-k) for n < k and 1 otherwise; B_n = 1/2 √(2n+1); rank 2, √(n + 1/2) on the odd
 * and on the even n.
 * @throws RangeError unless `states` is a positive integer
 */
export function hippoLegT(states: number): Hippo {
  checkStates(states, 'hippoLegT');
  const root = roots(states);
  const parity = (odd: number) => root.map((r, n) => (n % 2 === odd ? r * Math.SQRT1_2 : 0));
  return {
    A: fill(states, (n, k) => -0.5 * root[n]! * root[k]! * (n < k && (k - n) % 2 === 1 ? -1 : 1)),
    B: root.map((r) => r / 2),
    P: [parity(1), parity(0)],
  };
}

/** The normal part A + Σ P Pᵀ of a HiPPO matrix, [N, N] row-major: s I + skew-symmetric. */
export function normalPart({ A, B, P }: Hippo): Float64Array {
  const states = B.length;
  return fill(states, (n, k) => P.reduce((sum, p) => sum + p[n]! * p[k]!, A[n * states + k]!));
}

/** The eigenvalues and eigenvectors of a normal part: one of each conjugate pair, that with positive imaginary part. */
export interface NormalEigen {
  /** [N/2], in order of the imaginary part */
  readonly values: ComplexVector;
  /** [N/2] orthonormal eigenvectors of [N] */
  readonly vectors: readonly ComplexVector[];
}

/**
 * Diagonalises the normal part of a HiPPO matrix. It is s I + S with S skew-symmetric, so -iS is Hermitian, and the
 * eigenvalues are s ± iλ.
 * @throws RangeError if the number of states is odd (one eigenvalue would be real, without a partner), or if
 *   A + Σ P Pᵀ is not of the form s I + skew-symmetric
 */
export function normalEigen(hippo: Hippo): NormalEigen {
  const states = hippo.B.length;
  if (states % 2 === 1) {
    throw new RangeError(
      `normalEigen: eigenvalues come in conjugate pairs, so N must be even, not ${states}`,
    );
  }
  const normal = normalPart(hippo);
  const shift = normal[0]!;
  const largest = normal.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
  const minusSkew = fill(states, (n, k) => {
    const upper = normal[n * states + k]!;
    const lower = normal[k * states + n]!;
    if (!(Math.abs(upper + lower - (n === k ? 2 * shift : 0)) <= 1e-12 * largest)) {
      throw new RangeError(
        `normalEigen: A + Σ P Pᵀ is not s I + skew-symmetric, as entry (${n}, ${k}) shows`,
      );
    }
    return (lower - upper) / 2;
  });
  const { values, vectors } = hermitianEigen(new Float64Array(states * states), minusSkew, states);
  const half = states / 2;
  const column = (matrix: Float64Array, j: number) =>
    Float64Array.from({ length: states }, (_, i) => matrix[i * states + j]!);
  return {
    values: { re: new Float64Array(half).fill(shift), im: values.slice(half) },
    vectors: Array.from({ length: half }, (_, j) => ({
      re: column(vectors.re, half + j),
      im: column(vectors.im, half + j),
    })),
  };
}

/**
 * The model (A, B, C) of a HiPPO operator and a real C [N], in the basis where its normal part is diagonal:
 * A = V (Λ - P Pᴴ) Vᴴ, so B and P become Vᴴ B and Vᴴ P, and C becomes C V. N must be even; N/2 states are kept, one of
 * each conjugate pair.
 * @throws RangeError as {@link normalEigen}, and if C is not [N]
 */
export function dplrFromHippo(hippo: Hippo, C: Float64Array): DplrSSM {
  const states = hippo.B.length;
  if (C.length !== states) {
    throw new RangeError(`dplrFromHippo: C must have the ${states} entries of B, but has ${C.length}`);
  }
  const { values, vectors } = normalEigen(hippo);
  const project = (x: Float64Array, conjugate: -1 | 1): ComplexVector => {
    const out = complexVector(vectors.length);
    vectors.forEach(({ re, im }, j) => {
      for (let n = 0; n < states; n++) {
        out.re[j]! += re[n]! * x[n]!;
        out.im[j]! += conjugate * im[n]! * x[n]!;
      }
    });
    return out;
  };
  const P = hippo.P.map((p) => project(p, -1));
  return { A: values, B: project(hippo.B, -1), C: project(C, 1), P, Q: P };
}

function roots(states: number): Float64Array {
  return Float64Array.from({ length: states }, (_, n) => Math.sqrt(2 * n + 1));
}

function fill(states: number, entry: (n: number, k: number) => number): Float64Array {
  return Float64Array.from({ length: states * states }, (_, i) => entry(Math.floor(i / states), i % states));
}

function checkStates(states: number, where: string): void {
  if (!Number.isSafeInteger(states) || states < 1) {
    throw new RangeError(`${where}: the number of states must be a positive integer, not ${states}`);
  }
}
