import { describe, expect, it } from 'vitest';
import { normals, relativeError } from '../test/helpers.js';
import { dplrFromHippo, hippoLegS, hippoLegT, normalEigen, normalPart } from './hippo.js';
import { Random } from './random.js';

const apply = (A: Float64Array, x: number[]) =>
  x.map((_, n) => x.reduce((sum, value, k) => sum + A[n * x.length + k]! * value, 0));

/**
 * ∫₀¹ x^m √(2n+1) P_n(2x - 1) dx = √(2n+1) (m!)² / ((m-n)! (m+n+1)!) for n <= m, else 0: the Legendre coefficients of x^m.
 */
function legendreMoments(m: number, states: number): number[] {
  const factorial = (k: number): number => (k < 2 ? 1 : k * factorial(k - 1));
  return Array.from({ length: states }, (_, n) =>
    n > m ? 0 : (Math.sqrt(2 * n + 1) * factorial(m) ** 2) / (factorial(m - n) * factorial(m + n + 1)),
  );
}

describe('hippoLegS', () => {
  it('keeps the Legendre coefficients of the whole past', () => {
    // Of u(s) = s^m on [0, t] the coefficients are c(t) = t^m c(1), and HiPPO's t c' = A c + B u(t) says m c = A c + B.
    for (const states of [1, 2, 5, 9]) {
      const { A, B } = hippoLegS(states);
      for (let m = 0; m < 12; m++) {
        const c = legendreMoments(m, states);
        const right = apply(A, c).map((x, n) => x + B[n]!);
        expect(
          relativeError(
            right.map((x, n) => x - m * c[n]! + 1),
            right.map(() => 1),
          ),
        ).toBeLessThan(1e-13);
      }
    }
  });
});

describe('hippoLegT', () => {
  it('keeps the Legendre coefficients of a window of two units', () => {
    // Of u(s) = ((s + 2) / 2)^m on the window [-2, 0] they are c; those of u' are m/2 those of x^(m-1). For m < N the
    // window's far end is reconstructed exactly, and c' = A c + B u(0) holds exactly.
    for (const states of [1, 2, 5, 9]) {
      const { A, B } = hippoLegT(states);
      for (let m = 0; m < states; m++) {
        const c = legendreMoments(m, states);
        const derivative = m === 0 ? c.map(() => 0) : legendreMoments(m - 1, states).map((x) => (m / 2) * x);
        apply(A, c).forEach((x, n) => {
          expect(x + B[n]!).toBeCloseTo(derivative[n]!, 12);
        });
      }
    }
  });
});

describe('normalPart', () => {
  it('is a multiple of the identity plus a skew-symmetric matrix: -1/2 for LegS, 0 for LegT', () => {
    for (const [hippo, shift, rank] of [
      [hippoLegS(7), -0.5, 1],
      [hippoLegT(7), 0, 2],
    ] as const) {
      expect(hippo.P.length).toBe(rank);
      const normal = normalPart(hippo);
      for (let n = 0; n < 7; n++) {
        expect(normal[n * 8]).toBeCloseTo(shift, 13);
        for (let k = 0; k < n; k++) expect(normal[n * 7 + k]! + normal[k * 7 + n]!).toBeCloseTo(0, 13);
      }
    }
  });
});

describe('normalEigen', () => {
  it('finds eigenvalues and orthonormal eigenvectors of the normal part', () => {
    for (const hippo of [hippoLegS(10), hippoLegT(10)]) {
      const normal = normalPart(hippo);
      const { values, vectors } = normalEigen(hippo);
      expect(values.re.length).toBe(5);
      expect([...values.im]).toEqual([...values.im].sort((a, b) => a - b));
      expect(values.im[0]).toBeGreaterThan(0);
      vectors.forEach(({ re, im }, j) => {
        const [a, b] = [values.re[j]!, values.im[j]!];
        const lhsRe = apply(normal, [...re]);
        const lhsIm = apply(normal, [...im]);
        expect(
          relativeError(
            lhsRe,
            re.map((x, n) => a * x - b * im[n]!),
          ),
        ).toBeLessThan(1e-12);
        expect(
          relativeError(
            lhsIm,
            im.map((x, n) => a * x + b * re[n]!),
          ),
        ).toBeLessThan(1e-12);
        vectors.forEach((other, k) => {
          // ⟨v_j, v_k⟩ = δ, and ⟨v_j, conj v_k⟩ = 0: the other halves of the pairs are orthogonal too.
          const sum = (f: (n: number) => number) => re.reduce((total, _, n) => total + f(n), 0);
          expect(sum((n) => re[n]! * other.re[n]! + im[n]! * other.im[n]!)).toBeCloseTo(j === k ? 1 : 0, 12);
          expect(sum((n) => re[n]! * other.im[n]! - im[n]! * other.re[n]!)).toBeCloseTo(0, 12);
          expect(sum((n) => re[n]! * other.re[n]! - im[n]! * other.im[n]!)).toBeCloseTo(0, 12);
          expect(sum((n) => re[n]! * other.im[n]! + im[n]! * other.re[n]!)).toBeCloseTo(0, 12);
        });
      });
    }
  });

  it('refuses an odd number of states and a matrix that is not HiPPO-like', () => {
    expect(() => normalEigen(hippoLegS(3))).toThrow(/even, not 3/);
    expect(() => normalEigen({ ...hippoLegS(4), P: [] })).toThrow(/skew-symmetric/);
    expect(() => normalEigen({ A: Float64Array.of(-1, 2, -2, -3), B: new Float64Array(2), P: [] })).toThrow(
      /entry \(1, 1\)/,
    );
  });
});

describe('dplrFromHippo', () => {
  it('is the same model in another basis: C A^k B is the same for every k', () => {
    for (const hippo of [hippoLegS(6), hippoLegT(6)]) {
      const C = normals(new Random(1), 6);
      const { A, B, C: outC, P, Q } = dplrFromHippo(hippo, C);
      let dense = [...hippo.B];
      let { re, im } = B;
      for (let k = 0; k < 5; k++) {
        const want = dense.reduce((sum, x, n) => sum + C[n]! * x, 0);
        const got = re.reduce((sum, x, n) => sum + 2 * (outC.re[n]! * x - outC.im[n]! * im[n]!), 0);
        expect(Math.abs(got / want - 1)).toBeLessThan(1e-11);
        dense = apply(hippo.A, dense);
        // (Λ - Σ P Qᴴ) h, with Qᴴ h summed over both halves of each pair
        const along = Q.map((q) => re.reduce((sum, x, n) => sum + 2 * (q.re[n]! * x + q.im[n]! * im[n]!), 0));
        const low = (part: 're' | 'im', n: number) =>
          P.reduce((sum, p, r) => sum + p[part][n]! * along[r]!, 0);
        [re, im] = [
          re.map((x, n) => A.re[n]! * x - A.im[n]! * im[n]! - low('re', n)),
          im.map((x, n) => A.re[n]! * x + A.im[n]! * re[n]! - low('im', n)),
        ];
      }
    }
  });

  it('refuses sizes that do not fit', () => {
    expect(() => dplrFromHippo(hippoLegS(4), new Float64Array(3))).toThrow(/4 entries/);
    for (const bad of [0, -1, 1.5]) {
      expect(() => hippoLegS(bad)).toThrow(/positive integer/);
      expect(() => hippoLegT(bad)).toThrow(/positive integer/);
    }
  });
});
