import type { ComplexVector } from './complex.js';

/*
 * What a state space model is in this package: h' = A h + B u, y = C h (continuous), or h_k = A h_{k-1} + B u_k,
 * y_k = C h_k (discrete), with one input and one output. A skip connection D u is left to who has one: it is no part
 * of the kernel.
 *
 * A complex model holds one state of each conjugate pair, as S4D does, so y = 2 Re(C h); it stands for twice as many
 * real states. A real one has y = C h.
 */

/** A diagonal model with real A: all three [N]. */
export interface RealDiagonalSSM {
  readonly A: Float64Array;
  readonly B: Float64Array;
  readonly C: Float64Array;
}

/** A diagonal model with complex A, one state of each conjugate pair: all three [N/2], and y = 2 Re(C h). */
export interface ComplexDiagonalSSM {
  readonly A: ComplexVector;
  readonly B: ComplexVector;
  readonly C: ComplexVector;
}

/** Which of the two it is shows in `A`: an array, or `{ re, im }`. */
export type DiagonalSSM = RealDiagonalSSM | ComplexDiagonalSSM;

/** A model with a full real matrix: A is [N, N] row-major, B and C are [N]. */
export interface DenseSSM {
  readonly A: Float64Array;
  readonly B: Float64Array;
  readonly C: Float64Array;
}

export function isReal(ssm: DiagonalSSM): ssm is RealDiagonalSSM {
  return ssm.A instanceof Float64Array;
}

/**
 * The number of states that are held (N, or N/2 of a complex model).
 * @throws RangeError if A, B and C differ in length
 */
export function stateCount(ssm: DiagonalSSM, where: string): number {
  const lengths = isReal(ssm)
    ? [ssm.A.length, ssm.B.length, ssm.C.length]
    : [ssm.A, ssm.B, ssm.C].flatMap(({ re, im }) => [re.length, im.length]);
  const count = lengths[0]!;
  if (lengths.some((length) => length !== count)) {
    throw new RangeError(`${where}: A, B and C must have one length, but have ${lengths.join(', ')}`);
  }
  return count;
}

/**
 * N.
 * @throws RangeError unless A is [N, N], and B and C are [N]
 */
export function denseStateCount(ssm: DenseSSM, where: string): number {
  const count = ssm.B.length;
  if (ssm.C.length !== count || ssm.A.length !== count * count) {
    throw new RangeError(
      `${where}: want A of N * N numbers, B and C of N, but they have ${ssm.A.length}, ${count}, ${ssm.C.length}`,
    );
  }
  return count;
}

/** @throws RangeError unless `length` is a whole number, 0 or more */
export function checkLength(length: number, where: string): void {
  if (!Number.isSafeInteger(length) || length < 0) {
    throw new RangeError(`${where}: length must be a whole number, 0 or more, not ${length}`);
  }
}

/** @throws RangeError unless `dt` is positive and finite */
export function checkStep(dt: number, where: string): void {
  if (!(dt > 0 && Number.isFinite(dt))) {
    throw new RangeError(`${where}: the step size dt must be positive and finite, not ${dt}`);
  }
}
