import { type ComplexVector, complexVector } from './complex.js';
import { dot } from './kernel.js';
import {
  type ComplexDiagonalSSM,
  type DenseSSM,
  type DiagonalSSM,
  denseStateCount,
  isReal,
  type RealDiagonalSSM,
  stateCount,
} from './ssm.js';

/**
 * One step of a discrete diagonal model: h <- Ā h + B̄ u in place; returns y = C h (2 Re(C h) for a complex model). With
 * a model discretized anew at each step this is a selective scan.
 * @throws RangeError if the state has another length than A
 */
export function diagonalStep(ssm: RealDiagonalSSM, state: Float64Array, u: number): number;
export function diagonalStep(ssm: ComplexDiagonalSSM, state: ComplexVector, u: number): number;
export function diagonalStep(ssm: DiagonalSSM, state: Float64Array | ComplexVector, u: number): number {
  checkState(ssm, state, 'diagonalStep');
  return step(ssm, state, u);
}

/**
 * Runs a discrete diagonal model over the input u [L] from an initial state (zero when absent, and left alone); returns
 * y [L] and the last state. From a zero state, y is the convolution of u with `diagonalKernel`. O(N L).
 * @throws RangeError if A, B, C or the initial state differ in length
 */
export function diagonalRecurrence(
  ssm: RealDiagonalSSM,
  u: Float64Array,
  initialState?: Float64Array,
): { y: Float64Array; lastState: Float64Array };
export function diagonalRecurrence(
  ssm: ComplexDiagonalSSM,
  u: Float64Array,
  initialState?: ComplexVector,
): { y: Float64Array; lastState: ComplexVector };
export function diagonalRecurrence(
  ssm: DiagonalSSM,
  u: Float64Array,
  initialState?: Float64Array | ComplexVector,
): { y: Float64Array; lastState: Float64Array | ComplexVector } {
  const states = stateCount(ssm, 'diagonalRecurrence');
  if (initialState) checkState(ssm, initialState, 'diagonalRecurrence');
  const lastState = initialState
    ? copy(initialState)
    : isReal(ssm)
      ? new Float64Array(states)
      : complexVector(states);
  return { y: u.map((value) => step(ssm, lastState, value)), lastState };
}

/**
 * Runs a discrete dense model over u [L]: h_k = Ā h_{k-1} + B̄ u_k, y_k = C h_k. O(N² L).
 * @throws RangeError if the shapes do not fit
 */
export function denseRecurrence(
  ssm: DenseSSM,
  u: Float64Array,
  initialState?: Float64Array,
): { y: Float64Array; lastState: Float64Array } {
  const states = denseStateCount(ssm, 'denseRecurrence');
  if (initialState && initialState.length !== states) {
    throw new RangeError(
      `denseRecurrence: the initial state has ${initialState.length} of ${states} numbers`,
    );
  }
  let state = initialState?.slice() ?? new Float64Array(states);
  const y = u.map((value) => {
    const previous = state;
    state = previous.map(
      (_, i) => dot(ssm.A.subarray(i * states, (i + 1) * states), previous) + ssm.B[i]! * value,
    );
    return dot(ssm.C, state);
  });
  return { y, lastState: state };
}

function step(ssm: DiagonalSSM, state: Float64Array | ComplexVector, u: number): number {
  let y = 0;
  if (isReal(ssm)) {
    const h = state as Float64Array;
    for (let n = 0; n < h.length; n++) {
      h[n] = ssm.A[n]! * h[n]! + ssm.B[n]! * u;
      y += ssm.C[n]! * h[n]!;
    }
    return y;
  }
  const { A, B, C } = ssm;
  const { re, im } = state as ComplexVector;
  for (let n = 0; n < re.length; n++) {
    const next = A.re[n]! * re[n]! - A.im[n]! * im[n]! + B.re[n]! * u;
    im[n] = A.re[n]! * im[n]! + A.im[n]! * re[n]! + B.im[n]! * u;
    re[n] = next;
    y += 2 * (C.re[n]! * re[n]! - C.im[n]! * im[n]!);
  }
  return y;
}

function checkState(ssm: DiagonalSSM, state: Float64Array | ComplexVector, where: string): void {
  const lengths = state instanceof Float64Array ? [state.length] : [state.re.length, state.im.length];
  const want = isReal(ssm) ? [ssm.A.length] : [ssm.A.re.length, ssm.A.re.length];
  if (lengths.join() !== want.join()) {
    throw new RangeError(
      `${where}: the state must be ${isReal(ssm) ? 'real' : 'complex'} with ${want[0]} entries, as A is`,
    );
  }
}

function copy(state: Float64Array | ComplexVector): Float64Array | ComplexVector {
  return state instanceof Float64Array ? state.slice() : { re: state.re.slice(), im: state.im.slice() };
}
