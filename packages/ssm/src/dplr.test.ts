import { describe, expect, it } from 'vitest';
import { complexNormals, flat, normals, relativeError } from '../test/helpers.js';
import { discretize, discretizeDense } from './discretize.js';
import { type DplrSSM, dplrKernel, truncatedOutput } from './dplr.js';
import { dplrFromHippo, type Hippo, hippoLegS, hippoLegT } from './hippo.js';
import { denseKernel, diagonalKernel } from './kernel.js';
import { matmul } from './matrix.js';
import { Random } from './random.js';
import { s4dLin } from './s4d-init.js';

/** [N, N] to the power `exponent`, by squaring. */
function power(a: Float64Array, n: number, exponent: number): Float64Array {
  let result: Float64Array = Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0));
  for (let square: Float64Array = a; exponent > 0; exponent = Math.floor(exponent / 2)) {
    if (exponent % 2 === 1) result = matmul(result, square, n);
    square = matmul(square, square, n);
  }
  return result;
}

describe('dplrKernel', () => {
  it('is the kernel of the dense HiPPO model, multiplied out step by step', () => {
    for (const hippo of [hippoLegS, hippoLegT] satisfies ((n: number) => Hippo)[]) {
      for (const states of [2, 8, 32]) {
        const { A, B, P } = hippo(states);
        const C = normals(new Random(states), states);
        for (const [dt, length] of [
          [0.1, 1],
          [0.1, 2],
          [0.05, 7],
          [0.01, 100],
          [0.003, 256],
          [1e-6, 5], // I - Ā^L would lose six digits if it were taken as a difference
        ] as const) {
          const want = denseKernel(discretizeDense({ A, B, C }, dt, 'bilinear'), length);
          const got = dplrKernel(dplrFromHippo({ A, B, P }, C), dt, length);
          expect(relativeError(got, want)).toBeLessThan(1e-12);
        }
      }
    }
  });

  it('is the diagonal kernel when there is no low-rank part', () => {
    const random = new Random(1);
    const diagonal = { A: s4dLin(12), B: complexNormals(random, 6), C: complexNormals(random, 6) };
    const want = diagonalKernel(discretize(diagonal, 0.05, 'bilinear'), 90);
    expect(relativeError(dplrKernel({ ...diagonal, P: [], Q: [] }, 0.05, 90), want)).toBeLessThan(1e-12);
  });

  it('takes P and Q that differ, of rank 3: against the dense model over all conjugate pairs', () => {
    // In the real basis (re, im) of each pair, h + conj(h) makes both A and the low-rank term real matrices.
    const random = new Random(2);
    const half = 4;
    const model: DplrSSM = {
      A: { re: normals(random, half).map((x) => -2 - Math.abs(x)), im: normals(random, half) },
      B: complexNormals(random, half),
      C: complexNormals(random, half),
      P: [complexNormals(random, half), complexNormals(random, half), complexNormals(random, half)],
      Q: [complexNormals(random, half), complexNormals(random, half), complexNormals(random, half)].map(
        ({ re, im }) => ({ re: re.map((x) => 0.1 * x), im: im.map((x) => 0.1 * x) }),
      ),
    };
    const n = 2 * half;
    const dense = new Float64Array(n * n);
    for (let i = 0; i < half; i++) {
      dense.set([model.A.re[i]!, -model.A.im[i]!], 2 * i * n + 2 * i);
      dense.set([model.A.im[i]!, model.A.re[i]!], (2 * i + 1) * n + 2 * i);
      for (let j = 0; j < half; j++) {
        model.P.forEach((p, r) => {
          // P (Qᴴ h + conj) = 2 P Re(Qᴴ h), and Re(conj(q) h) = q.re h.re + q.im h.im
          const q = model.Q[r]!;
          dense[2 * i * n + 2 * j]! -= 2 * p.re[i]! * q.re[j]!;
          dense[2 * i * n + 2 * j + 1]! -= 2 * p.re[i]! * q.im[j]!;
          dense[(2 * i + 1) * n + 2 * j]! -= 2 * p.im[i]! * q.re[j]!;
          dense[(2 * i + 1) * n + 2 * j + 1]! -= 2 * p.im[i]! * q.im[j]!;
        });
      }
    }
    const interleave = (
      { re, im }: { re: Float64Array; im: Float64Array },
      factor: readonly [number, number],
    ) =>
      Float64Array.from({ length: n }, (_, i) =>
        i % 2 === 0 ? factor[0] * re[i / 2]! : factor[1] * im[(i - 1) / 2]!,
      );
    const ssm = { A: dense, B: interleave(model.B, [1, 1]), C: interleave(model.C, [2, -2]) };
    const want = denseKernel(discretizeDense(ssm, 0.1, 'bilinear'), 64);
    expect(relativeError(dplrKernel(model, 0.1, 64), want)).toBeLessThan(1e-12);
  });

  it('can be empty, and refuses what does not fit', () => {
    const model = dplrFromHippo(hippoLegS(4), new Float64Array(4).fill(1));
    expect(dplrKernel(model, 0.1, 0)).toEqual(new Float64Array(0));
    expect(() => dplrKernel(model, 0, 4)).toThrow(/step size/);
    expect(() => dplrKernel(model, 0.1, -1)).toThrow(/whole number/);
    expect(() => dplrKernel({ ...model, Q: [] }, 0.1, 4)).toThrow(/they are 1 and 0 vectors/);
    const short = { re: new Float64Array(1), im: new Float64Array(1) };
    expect(() => dplrKernel({ ...model, P: [short] }, 0.1, 4)).toThrow(/2 entries/);
    expect(() => dplrKernel({ ...model, B: short }, 0.1, 4)).toThrow(/one length/);
  });
});

describe('truncatedOutput', () => {
  it('is C (I - Ā^L), in the basis of the eigenvectors', () => {
    for (const hippo of [hippoLegS(8), hippoLegT(8)]) {
      const C = normals(new Random(3), 8);
      const { A: abar } = discretizeDense({ A: hippo.A, B: hippo.B, C }, 0.02, 'bilinear');
      for (const length of [0, 1, 50, 333]) {
        const last = power(abar, 8, length);
        const truncated = C.map((c, k) => c - C.reduce((sum, x, n) => sum + x * last[n * 8 + k]!, 0));
        // Into the eigenbasis: C~ V is the C of the model made from C~.
        const want = flat(dplrFromHippo(hippo, truncated).C);
        const got = flat(truncatedOutput(dplrFromHippo(hippo, C), 0.02, length));
        for (let i = 0; i < want.length; i++) expect(got[i]).toBeCloseTo(want[i]!, 11);
      }
    }
  });
});
