import { describe, expect, it } from 'vitest';
import { normals } from '../test/helpers.js';
import { hermitianEigen } from './eigen.js';
import { Random } from './random.js';

function randomHermitian(random: Random, n: number) {
  const re = normals(random, n * n);
  const im = normals(random, n * n);
  const at = (i: number) => (i % n) * n + Math.floor(i / n);
  return { re: re.map((x, i) => x + re[at(i)]!), im: im.map((x, i) => x - im[at(i)]!) };
}

describe('hermitianEigen', () => {
  it('finds real eigenvalues in order, with orthonormal eigenvectors', () => {
    const random = new Random(1);
    for (const n of [1, 2, 3, 8, 25]) {
      const { re, im } = randomHermitian(random, n);
      const { values, vectors } = hermitianEigen(re, im, n);
      const norm = Math.hypot(...re, ...im);
      expect([...values]).toEqual([...values].sort((a, b) => a - b));
      let trace = 0;
      for (let i = 0; i < n; i++) trace += re[i * (n + 1)]!;
      expect(Math.abs(values.reduce((a, b) => a + b, 0) - trace)).toBeLessThan(1e-13 * norm);
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < n; j++) {
          let [residualRe, residualIm, innerRe, innerIm] = [0, 0, 0, 0];
          for (let k = 0; k < n; k++) {
            const [vr, vi] = [vectors.re[k * n + j]!, vectors.im[k * n + j]!];
            const [wr, wi] = [vectors.re[k * n + i]!, vectors.im[k * n + i]!];
            residualRe += re[i * n + k]! * vr - im[i * n + k]! * vi;
            residualIm += re[i * n + k]! * vi + im[i * n + k]! * vr;
            innerRe += wr * vr + wi * vi;
            innerIm += wr * vi - wi * vr;
          }
          residualRe -= values[j]! * vectors.re[i * n + j]!;
          residualIm -= values[j]! * vectors.im[i * n + j]!;
          expect(Math.hypot(residualRe, residualIm)).toBeLessThan(1e-14 * norm);
          expect(Math.hypot(innerRe - (i === j ? 1 : 0), innerIm)).toBeLessThan(1e-14);
        }
      }
    }
  });

  it('knows the eigenvalues of a 2 by 2 matrix', () => {
    // [[2, 3i], [-3i, 2]]: 2 ± 3
    const { values } = hermitianEigen(Float64Array.of(2, 0, 0, 2), Float64Array.of(0, 3, -3, 0), 2);
    expect(values[0]).toBeCloseTo(-1, 14);
    expect(values[1]).toBeCloseTo(5, 14);
  });

  it('takes repeated eigenvalues, zeros, and sizes far from 1', () => {
    const identity = Float64Array.from({ length: 16 }, (_, i) => (i % 5 === 0 ? 7 : 0));
    expect([...hermitianEigen(identity, new Float64Array(16), 4).values]).toEqual([7, 7, 7, 7]);
    expect([...hermitianEigen(new Float64Array(4), new Float64Array(4), 2).values]).toEqual([0, 0]);
    // All ones: eigenvalues 0, 0, 3.
    for (const scale of [1e-150, 1, 1e150]) {
      const { values } = hermitianEigen(new Float64Array(9).fill(scale), new Float64Array(9), 3);
      expect(Math.abs(values[0]!)).toBeLessThan(1e-15 * scale);
      expect(Math.abs(values[2]! / (3 * scale) - 1)).toBeLessThan(1e-14);
    }
  });

  it('refuses a matrix with NaN or Infinity', () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => hermitianEigen(Float64Array.of(1, bad, bad, 1), new Float64Array(4), 2)).toThrow(/finite/);
    }
  });
});
