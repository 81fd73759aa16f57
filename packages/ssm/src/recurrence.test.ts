import { describe, expect, it } from 'vitest';
import { flat, normals, randomComplexSsm, randomRealSsm, relativeError } from '../test/helpers.js';
import { causalConvolution, causalConvolutionFft } from './convolution.js';
import { type Discretization, discretize, discretizeDense } from './discretize.js';
import { hippoLegS, hippoLegT } from './hippo.js';
import { denseKernel, diagonalKernel } from './kernel.js';
import { Random } from './random.js';
import { denseRecurrence, diagonalRecurrence, diagonalStep } from './recurrence.js';

const LENGTH = 300;
const u = normals(new Random(1), LENGTH);

describe('diagonalRecurrence', () => {
  it('is the convolution with the kernel, for every rule, real and complex', () => {
    for (const rule of ['zoh', 'bilinear', 'euler', 'mamba', 'dss'] satisfies Discretization[]) {
      const options = { length: LENGTH };
      const real = discretize(randomRealSsm(new Random(2), 6), 0.02, rule, options);
      const complex = discretize(randomComplexSsm(new Random(3), 6), 0.02, rule, options);
      for (const [y, kernel] of [
        [diagonalRecurrence(real, u).y, diagonalKernel(real, LENGTH)],
        [diagonalRecurrence(complex, u).y, diagonalKernel(complex, LENGTH)],
      ] as const) {
        expect(relativeError(y, causalConvolution(u, kernel))).toBeLessThan(1e-13);
        expect(relativeError(y, causalConvolutionFft(u, kernel))).toBeLessThan(1e-13);
      }
    }
  });

  it('goes on from a state as if it had never stopped, and leaves the state that it was given alone', () => {
    const real = discretize(randomRealSsm(new Random(4), 4), 0.1, 'zoh');
    const complex = discretize(randomComplexSsm(new Random(5), 4), 0.1, 'zoh');
    const wholeReal = diagonalRecurrence(real, u);
    const wholeComplex = diagonalRecurrence(complex, u);
    for (const cut of [0, 1, 150, LENGTH]) {
      const firstReal = diagonalRecurrence(real, u.subarray(0, cut));
      const kept = firstReal.lastState.slice();
      const restReal = diagonalRecurrence(real, u.subarray(cut), firstReal.lastState);
      expect([...firstReal.y, ...restReal.y]).toEqual([...wholeReal.y]);
      expect(restReal.lastState).toEqual(wholeReal.lastState);
      expect(firstReal.lastState).toEqual(kept);

      const first = diagonalRecurrence(complex, u.subarray(0, cut));
      const keptComplex = flat(first.lastState);
      const rest = diagonalRecurrence(complex, u.subarray(cut), first.lastState);
      expect([...first.y, ...rest.y]).toEqual([...wholeComplex.y]);
      expect(rest.lastState).toEqual(wholeComplex.lastState);
      expect(flat(first.lastState)).toEqual(keptComplex);
    }
  });

  it('ends in the state Σ Ā^(L-1-l) B̄ u_l', () => {
    const ssm = randomRealSsm(new Random(6), 3);
    const { A, B } = discretize(ssm, 0.1, 'zoh');
    const { lastState } = diagonalRecurrence({ A, B, C: ssm.C }, u);
    const want = A.map((a, n) => u.reduce((sum, x, l) => sum + a ** (LENGTH - 1 - l) * B[n]! * x, 0));
    expect(relativeError(lastState, want)).toBeLessThan(1e-13);
  });

  it('is diagonalStep, step by step, in place', () => {
    const complex = discretize(randomComplexSsm(new Random(7), 3), 0.1, 'bilinear');
    const state = { re: new Float64Array(3), im: new Float64Array(3) };
    const y = u.map((x) => diagonalStep(complex, state, x));
    const whole = diagonalRecurrence(complex, u);
    expect(y).toEqual(whole.y);
    expect(state).toEqual(whole.lastState);
  });

  it('refuses a state of another kind or length', () => {
    const real = randomRealSsm(new Random(8), 3);
    const complex = randomComplexSsm(new Random(9), 3);
    expect(() => diagonalStep(real, new Float64Array(2), 1)).toThrow(/real with 3 entries/);
    expect(() => diagonalRecurrence(real, u, new Float64Array(4))).toThrow(/real with 3 entries/);
    const half = { re: new Float64Array(3), im: new Float64Array(2) };
    expect(() => diagonalRecurrence(complex, u, half)).toThrow(/complex with 3 entries/);
    expect(() => diagonalStep(complex, new Float64Array(3) as never, 1)).toThrow(/complex with 3 entries/);
    expect(() => diagonalRecurrence({ ...real, B: new Float64Array(1) }, u)).toThrow(/one length/);
  });
});

describe('denseRecurrence', () => {
  it('is the convolution with the kernel, for both HiPPO models', () => {
    for (const hippo of [hippoLegS(8), hippoLegT(8)]) {
      const C = normals(new Random(10), 8);
      for (const rule of ['zoh', 'bilinear'] as const) {
        const model = discretizeDense({ A: hippo.A, B: hippo.B, C }, 0.01, rule);
        const want = causalConvolution(u, denseKernel(model, LENGTH));
        expect(relativeError(denseRecurrence(model, u).y, want)).toBeLessThan(1e-13);
      }
    }
  });

  it('goes on from a state as if it had never stopped', () => {
    const { A, B } = hippoLegS(5);
    const model = discretizeDense({ A, B, C: B }, 0.05, 'bilinear');
    const whole = denseRecurrence(model, u);
    const first = denseRecurrence(model, u.subarray(0, 77));
    const rest = denseRecurrence(model, u.subarray(77), first.lastState);
    expect([...first.y, ...rest.y]).toEqual([...whole.y]);
    expect(rest.lastState).toEqual(whole.lastState);
  });

  it('refuses shapes that do not fit', () => {
    const good = { A: new Float64Array(4), B: new Float64Array(2), C: new Float64Array(2) };
    expect(() => denseRecurrence({ ...good, B: new Float64Array(3) }, u)).toThrow(/N \* N/);
    expect(() => denseRecurrence(good, u, new Float64Array(1))).toThrow(/1 of 2/);
  });
});
