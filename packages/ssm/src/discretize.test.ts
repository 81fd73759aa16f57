import { describe, expect, it } from 'vitest';
import { flat, normals, randomComplexSsm, randomRealSsm, relativeError } from '../test/helpers.js';
import { type Discretization, discretize, discretizeDense } from './discretize.js';
import { hippoLegS } from './hippo.js';
import { diagonalKernel } from './kernel.js';
import { Random } from './random.js';
import { diagonalStep } from './recurrence.js';

const DT = 0.07;
const ALL: Discretization[] = ['zoh', 'bilinear', 'euler', 'mamba', 'dss'];
const ones = (n: number) => new Float64Array(n).fill(1);

/** h' = a h + b over `time`, from h, with u = 1: the classical Runge-Kutta method in small steps, on (re, im). */
function integrate(a: number[], b: number[], h: number[], time: number): number[] {
  const [ar, ai] = a as [number, number];
  const f = ([re, im]: number[]) => [ar * re! - ai * im! + b[0]!, ar * im! + ai * re! + b[1]!];
  const steps = 400;
  const dt = time / steps;
  const move = (x: number[], k: number[], by: number) => [x[0]! + by * k[0]!, x[1]! + by * k[1]!];
  for (let i = 0; i < steps; i++) {
    const k1 = f(h);
    const k2 = f(move(h, k1, dt / 2));
    const k3 = f(move(h, k2, dt / 2));
    const k4 = f(move(h, k3, dt));
    h = h.map((x, j) => x + (dt / 6) * (k1[j]! + 2 * k2[j]! + 2 * k3[j]! + k4[j]!));
  }
  return h;
}

describe('discretize', () => {
  it('zoh is the exact solution under a held input, real and complex', () => {
    const random = new Random(1);
    const complex = randomComplexSsm(random, 6);
    const d = discretize(complex, DT, 'zoh');
    for (let n = 0; n < 6; n++) {
      const at = (v: { re: Float64Array; im: Float64Array }) => [v.re[n]!, v.im[n]!];
      expect(relativeError(at(d.A), integrate(at(complex.A), [0, 0], [1, 0], DT))).toBeLessThan(1e-12);
      expect(relativeError(at(d.B), integrate(at(complex.A), at(complex.B), [0, 0], DT))).toBeLessThan(1e-12);
    }
    const real = randomRealSsm(random, 6);
    const r = discretize(real, DT, 'zoh');
    for (let n = 0; n < 6; n++) {
      expect(r.A[n]).toBeCloseTo(integrate([real.A[n]!, 0], [0, 0], [1, 0], DT)[0]!, 12);
      expect(r.B[n]).toBeCloseTo(integrate([real.A[n]!, 0], [real.B[n]!, 0], [0, 0], DT)[0]!, 12);
    }
  });

  it('bilinear solves the trapezoidal equation', () => {
    const ssm = randomComplexSsm(new Random(2), 5);
    const { A, B } = discretize(ssm, DT, 'bilinear');
    for (let n = 0; n < 5; n++) {
      // Ā - 1 = Δ/2 A (Ā + 1), and B̄ = Δ/2 A B̄ + Δ B
      const [ar, ai] = [ssm.A.re[n]!, ssm.A.im[n]!];
      const half = DT / 2;
      expect(A.re[n]! - 1).toBeCloseTo(half * (ar * (A.re[n]! + 1) - ai * A.im[n]!), 14);
      expect(A.im[n]!).toBeCloseTo(half * (ar * A.im[n]! + ai * (A.re[n]! + 1)), 14);
      expect(B.re[n]!).toBeCloseTo(half * (ar * B.re[n]! - ai * B.im[n]!) + DT * ssm.B.re[n]!, 14);
      expect(B.im[n]!).toBeCloseTo(half * (ar * B.im[n]! + ai * B.re[n]!) + DT * ssm.B.im[n]!, 14);
    }
  });

  it('euler is one explicit step, and mamba takes A from zoh and B from euler', () => {
    const ssm = randomComplexSsm(new Random(3), 4);
    const euler = discretize(ssm, DT, 'euler');
    const mamba = discretize(ssm, DT, 'mamba');
    expect([...euler.A.re]).toEqual([...ssm.A.re].map((a) => 1 + a * DT));
    expect([...euler.A.im]).toEqual([...ssm.A.im].map((a) => a * DT));
    for (const d of [euler, mamba]) {
      expect(
        relativeError(
          flat(d.B),
          flat(ssm.B).map((b) => b * DT),
        ),
      ).toBeLessThan(1e-15);
    }
    expect(flat(mamba.A)).toEqual(flat(discretize(ssm, DT, 'zoh').A));
  });

  it('dss is a softmax over the steps, for growing states too', () => {
    // K_l = C B / A softmax_l(ΔA l); the regularised reciprocal moves it by 1e-7 / |A (e^{zL} - 1)|² at most.
    const length = 50;
    for (const a of [
      [-0.5, 7],
      [0.8, -3],
      [-2, 0.1],
      [30, 2],
    ]) {
      const [re, im] = a as [number, number];
      const one = { re: ones(1), im: new Float64Array(1) };
      const ssm = { A: { re: Float64Array.of(re), im: Float64Array.of(im) }, B: one, C: one };
      const kernel = diagonalKernel(discretize(ssm, DT, 'dss', { length }), length);
      const shift = re > 0 ? length - 1 : 0;
      const terms = Array.from({ length }, (_, l) => {
        const size = Math.exp(re * DT * (l - shift));
        return [size * Math.cos(im * DT * (l - shift)), size * Math.sin(im * DT * (l - shift))] as const;
      });
      const sr = terms.reduce((sum, t) => sum + t[0], 0);
      const si = terms.reduce((sum, t) => sum + t[1], 0);
      // softmax / a = term / (a s)
      const dr = re * sr - im * si;
      const di = re * si + im * sr;
      const norm = dr * dr + di * di;
      const want = terms.map(([tr, ti]) => (2 * (tr * dr + ti * di)) / norm);
      expect(relativeError(kernel, want)).toBeLessThan(1e-6);
    }
  });

  it('agrees with the one rule there is when ΔA goes to 0', () => {
    const one = { re: ones(1), im: new Float64Array(1) };
    for (const size of [1e-3, 1e-6, 1e-12, 1e-200]) {
      const ssm = { A: { re: Float64Array.of(-size), im: Float64Array.of(2 * size) }, B: one, C: one };
      for (const [rule, slope] of [
        ['zoh', 0.5],
        ['bilinear', 0.5],
        ['euler', 0],
        ['mamba', 0],
      ] as const) {
        const { A, B } = discretize(ssm, 1, rule);
        // Ā = 1 + z + O(z²), B̄ = 1 + slope z + O(z²): both imaginary parts to full relative precision.
        expect(Math.abs(A.re[0]! - 1 + size)).toBeLessThanOrEqual(5 * size * size + 1e-16);
        expect(Math.abs(A.im[0]! / (2 * size) - 1)).toBeLessThanOrEqual(5 * size + 1e-15);
        expect(Math.abs(B.re[0]! - 1 + slope * size)).toBeLessThanOrEqual(5 * size * size + 1e-16);
        expect(Math.abs(B.im[0]! / size - 2 * slope)).toBeLessThanOrEqual(5 * size + 1e-15);
      }
    }
    const still = { A: Float64Array.of(0), B: Float64Array.of(3), C: ones(1) };
    for (const rule of ['zoh', 'bilinear', 'euler', 'mamba'] as const) {
      expect(discretize(still, 0.25, rule)).toEqual({ A: ones(1), B: Float64Array.of(0.75), C: ones(1) });
    }
    // DSS divides by A; its regularised reciprocal makes that 0 / 1e-7 instead of 0 / 0.
    expect(discretize(still, 0.25, 'dss', { length: 8 }).B[0]).toBe(0);
  });

  it('treats real A as complex A without imaginary part', () => {
    const ssm = randomRealSsm(new Random(4), 5);
    const zero = new Float64Array(5);
    const complex = {
      A: { re: ssm.A, im: zero },
      B: { re: ssm.B, im: zero },
      C: { re: ssm.C, im: zero },
    };
    for (const rule of ALL) {
      const r = discretize(ssm, DT, rule, { length: 20 });
      const c = discretize(complex, DT, rule, { length: 20 });
      expect(c.A.re).toEqual(r.A);
      expect(c.B.re).toEqual(r.B);
      expect(c.A.im.every((x) => x === 0)).toBe(true);
      expect(r.C).toBe(ssm.C);
    }
  });

  it('theorem 1: N = 1, A = -1, B = 1, Δ = softplus(l) and zoh are the gated recurrence with g = sigmoid(l)', () => {
    const random = new Random(5);
    const inputs = normals(random, 200);
    const gates = normals(random, 200).map((x) => 4 * x);
    const ssm = { A: Float64Array.of(-1), B: ones(1), C: ones(1) };
    const state = new Float64Array(1);
    let h = 0;
    let eulerDiffers = 0;
    for (let t = 0; t < 200; t++) {
      const l = gates[t]!;
      const dt = Math.max(l, 0) + Math.log1p(Math.exp(-Math.abs(l)));
      const gate = 1 / (1 + Math.exp(-l));
      h = (1 - gate) * h + gate * inputs[t]!;
      const zoh = discretize(ssm, dt, 'zoh');
      expect(zoh.A[0]).toBeCloseTo(1 - gate, 14);
      expect(zoh.B[0]).toBeCloseTo(gate, 14);
      expect(diagonalStep(zoh, state, inputs[t]!)).toBeCloseTo(h, 13);
      eulerDiffers = Math.max(eulerDiffers, discretize(ssm, dt, 'mamba').B[0]! - gate);
    }
    // With Mamba's own B̄ = Δ it does not hold: softplus(0) = 0.693 against sigmoid(0) = 0.5.
    expect(discretize(ssm, Math.LN2, 'mamba').B[0]).toBe(Math.LN2);
    expect(eulerDiffers).toBeGreaterThan(1);
  });

  it('refuses what it cannot discretize', () => {
    const ssm = randomRealSsm(new Random(6), 3);
    expect(() => discretize({ ...ssm, B: ones(2) }, DT, 'zoh')).toThrow(/one length.*3, 2, 3/);
    for (const dt of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => discretize(ssm, dt, 'zoh')).toThrow(/step size/);
    }
    expect(() => discretize(ssm, DT, 'tustin' as Discretization)).toThrow(/one of zoh, bilinear.*'tustin'/);
    expect(() => discretize(ssm, DT, 'toString' as Discretization)).toThrow(/one of/);
    expect(() => discretize(ssm, DT, 'dss')).toThrow(/give its length/);
    expect(() => discretize(ssm, DT, 'dss', { length: 2.5 })).toThrow(/whole number/);
    expect(() => discretize({ ...ssm, A: ones(3) }, 1, 'dss', { length: 1000 })).toThrow(/range of doubles/);
  });
});

describe('discretizeDense', () => {
  const RULES = ['zoh', 'bilinear', 'euler', 'mamba'] as const;

  it('is the diagonal rule for a diagonal matrix', () => {
    const ssm = randomRealSsm(new Random(7), 4);
    const dense = {
      ...ssm,
      A: Float64Array.from({ length: 16 }, (_, i) => (i % 5 === 0 ? ssm.A[i / 5]! : 0)),
    };
    for (const rule of RULES) {
      const want = discretize(ssm, DT, rule);
      const got = discretizeDense(dense, DT, rule);
      expect(relativeError(got.B, want.B)).toBeLessThan(1e-14);
      expect(
        relativeError(
          got.A,
          dense.A.map((_, i) => (i % 5 === 0 ? want.A[i / 5]! : 0)),
        ),
      ).toBeLessThan(1e-14);
    }
  });

  it('is the complex rule for a rotation that decays', () => {
    // [[a, -b], [b, a]] acts on (re, im) as a + bi does.
    const dense = { A: Float64Array.of(-0.5, -4, 4, -0.5), B: Float64Array.of(0.3, -2), C: ones(2) };
    const pair = {
      A: { re: Float64Array.of(-0.5), im: Float64Array.of(4) },
      B: { re: Float64Array.of(0.3), im: Float64Array.of(-2) },
    };
    for (const rule of RULES) {
      const want = discretize({ ...pair, C: pair.B }, DT, rule);
      const got = discretizeDense(dense, DT, rule);
      const [re, im] = [want.A.re[0]!, want.A.im[0]!];
      expect(relativeError(got.A, [re, -im, im, re])).toBeLessThan(1e-14);
      expect(relativeError(got.B, [want.B.re[0]!, want.B.im[0]!])).toBeLessThan(1e-14);
    }
  });

  it('zoh of HiPPO-LegS: two steps under one held input are one step of twice the size', () => {
    const { A, B } = hippoLegS(8);
    const ssm = { A, B, C: B };
    const one = discretizeDense(ssm, 0.05, 'zoh');
    const two = discretizeDense(ssm, 0.1, 'zoh');
    const squared = Float64Array.from({ length: 64 }, (_, i) => {
      let sum = 0;
      for (let k = 0; k < 8; k++) sum += one.A[i - (i % 8) + k]! * one.A[k * 8 + (i % 8)]!;
      return sum;
    });
    expect(relativeError(squared, two.A)).toBeLessThan(1e-13);
    const twice = one.B.map((b, i) =>
      one.A.subarray(i * 8, i * 8 + 8).reduce((sum, a, k) => sum + a * one.B[k]!, b),
    );
    expect(relativeError(twice, two.B)).toBeLessThan(1e-13);
  });

  it('refuses what it cannot discretize', () => {
    const good = { A: ones(4), B: ones(2), C: ones(2) };
    expect(() => discretizeDense({ ...good, A: ones(3) }, DT, 'zoh')).toThrow(/N \* N/);
    expect(() => discretizeDense({ ...good, C: ones(3) }, DT, 'zoh')).toThrow(/N \* N/);
    expect(() => discretizeDense(good, 0, 'zoh')).toThrow(/step size/);
    expect(() => discretizeDense(good, DT, 'dss' as 'zoh')).toThrow(
      /one of zoh, bilinear, euler, mamba, not 'dss'/,
    );
    expect(() => discretizeDense({ A: Float64Array.of(2), B: ones(1), C: ones(1) }, 1, 'bilinear')).toThrow(
      /singular/,
    );
  });
});
