import { describe, expect, it } from 'vitest';
import { randomComplexSsm, randomRealSsm, relativeError } from '../test/helpers.js';
import { discretize } from './discretize.js';
import { denseKernel, diagonalKernel } from './kernel.js';
import { Random } from './random.js';

const LENGTH = 60;

describe('diagonalKernel', () => {
  it('is C Ā^l B̄, with powers by exp of the continuous model (zoh)', () => {
    const dt = 0.05;
    const real = randomRealSsm(new Random(1), 5);
    const discreteReal = discretize(real, dt, 'zoh');
    const wantReal = Array.from({ length: LENGTH }, (_, l) =>
      real.A.reduce((sum, a, n) => sum + real.C[n]! * discreteReal.B[n]! * Math.exp(a * dt * l), 0),
    );
    expect(relativeError(diagonalKernel(discreteReal, LENGTH), wantReal)).toBeLessThan(1e-14);

    const { A, C, B } = randomComplexSsm(new Random(2), 5);
    const discrete = discretize({ A, B, C }, dt, 'zoh');
    const want = Array.from({ length: LENGTH }, (_, l) => {
      let sum = 0;
      for (let n = 0; n < 5; n++) {
        const size =
          Math.exp(A.re[n]! * dt * l) *
          Math.hypot(C.re[n]!, C.im[n]!) *
          Math.hypot(discrete.B.re[n]!, discrete.B.im[n]!);
        const angle =
          A.im[n]! * dt * l +
          Math.atan2(C.im[n]!, C.re[n]!) +
          Math.atan2(discrete.B.im[n]!, discrete.B.re[n]!);
        sum += 2 * size * Math.cos(angle);
      }
      return sum;
    });
    expect(relativeError(diagonalKernel(discrete, LENGTH), want)).toBeLessThan(1e-14);
  });

  it('of a complex model is that of the dense real model with twice the states', () => {
    const { A, B, C } = discretize(randomComplexSsm(new Random(3), 2), 0.1, 'bilinear');
    const dense = new Float64Array(16);
    const denseB = new Float64Array(4);
    const denseC = new Float64Array(4);
    for (let n = 0; n < 2; n++) {
      const i = 2 * n;
      dense.set([A.re[n]!, -A.im[n]!], i * 4 + i);
      dense.set([A.im[n]!, A.re[n]!], (i + 1) * 4 + i);
      denseB.set([B.re[n]!, B.im[n]!], i);
      denseC.set([2 * C.re[n]!, -2 * C.im[n]!], i);
    }
    const want = denseKernel({ A: dense, B: denseB, C: denseC }, LENGTH);
    expect(relativeError(diagonalKernel({ A, B, C }, LENGTH), want)).toBeLessThan(1e-14);
  });

  it('can be empty', () => {
    expect(diagonalKernel(randomRealSsm(new Random(4), 2), 0)).toEqual(new Float64Array(0));
    expect(diagonalKernel(randomRealSsm(new Random(4), 0), 2)).toEqual(new Float64Array(2));
  });

  it('refuses shapes and lengths that do not fit', () => {
    const ssm = randomRealSsm(new Random(5), 3);
    for (const length of [-1, 1.5, Number.NaN]) {
      expect(() => diagonalKernel(ssm, length)).toThrow(/whole number/);
      expect(() => denseKernel({ ...ssm, A: new Float64Array(9) }, length)).toThrow(/whole number/);
    }
    expect(() => diagonalKernel({ ...ssm, C: new Float64Array(2) }, 4)).toThrow(/one length/);
    const complex = randomComplexSsm(new Random(6), 3);
    expect(() => diagonalKernel({ ...complex, B: { re: complex.B.re, im: new Float64Array(1) } }, 4)).toThrow(
      /3, 3, 3, 1, 3, 3/,
    );
    expect(() => denseKernel(ssm, 4)).toThrow(/N \* N/);
  });
});

describe('denseKernel', () => {
  it('of a shift register is its taps in turn', () => {
    // Ā moves each state on by one, B̄ enters at the first, so K_l = C_l.
    const A = Float64Array.of(0, 0, 0, 1, 0, 0, 0, 1, 0);
    const kernel = denseKernel({ A, B: Float64Array.of(1, 0, 0), C: Float64Array.of(5, -2, 3) }, 5);
    expect([...kernel]).toEqual([5, -2, 3, 0, 0]);
  });
});
