import { describe, expect, it } from 'vitest';
import { normals, relativeError } from '../test/helpers.js';
import { expm, matmul, solve } from './matrix.js';
import { Random } from './random.js';

describe('solve', () => {
  it('solves systems with several right-hand sides', () => {
    const random = new Random(1);
    for (const n of [1, 2, 5, 30]) {
      const a = normals(random, n * n);
      const x = normals(random, n * n);
      expect(relativeError(solve(a, matmul(a, x, n), n), x)).toBeLessThan(1e-11);
    }
  });

  it('needs row exchanges, and makes them', () => {
    expect([...solve(Float64Array.of(0, 1, 1, 0), Float64Array.of(3, 4), 2)]).toEqual([4, 3]);
  });

  it('refuses a singular matrix', () => {
    expect(() => solve(Float64Array.of(1, 2, 2, 4), Float64Array.of(1, 1), 2)).toThrow(/singular/);
  });
});

describe('expm', () => {
  it('is a rotation for a skew-symmetric matrix', () => {
    for (const angle of [1e-9, 0.3, 2, 50]) {
      const want = [Math.cos(angle), -Math.sin(angle), Math.sin(angle), Math.cos(angle)];
      expect(relativeError(expm(Float64Array.of(0, -angle, angle, 0), 2), want)).toBeLessThan(1e-13);
    }
  });

  it('is a polynomial for a nilpotent matrix', () => {
    const nilpotent = Float64Array.of(0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0);
    const power = expm(nilpotent, 4);
    // Rows 0 -> 1 only, 1 -> 3, 3 -> 2: 1, 1/2, 1/6 along the chain.
    expect([...power]).toEqual([1, 1, 1 / 6, 0.5, 0, 1, 0.5, 1, 0, 0, 1, 0, 0, 0, 1, 1]);
  });

  it('has exp(-a) as its inverse', () => {
    const a = normals(new Random(2), 36);
    const identity = matmul(
      expm(a, 6),
      expm(
        a.map((x) => -x),
        6,
      ),
      6,
    );
    expect(
      relativeError(
        identity,
        identity.map((_, i) => (i % 7 === 0 ? 1 : 0)),
      ),
    ).toBeLessThan(1e-12);
  });
});
