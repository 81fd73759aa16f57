import { describe, expect, it } from 'vitest';
import { randomComplexSsm, randomRealSsm, relativeError } from '../test/helpers.js';
import {
  discreteHalfLives,
  discreteTimeConstants,
  halfLives,
  impulseResponse,
  memoryHalfLife,
  poles,
  timeConstants,
} from './analysis.js';
import { discretize } from './discretize.js';
import { diagonalKernel } from './kernel.js';
import { Random } from './random.js';
import { s4dLin, s4dReal } from './s4d-init.js';

describe('poles', () => {
  it('are A itself, with the conjugates that a complex model leaves out', () => {
    expect(poles(s4dReal(2))).toEqual({ re: Float64Array.of(-1, -2), im: Float64Array.of(0, 0) });
    const pair = { re: Float64Array.of(-0.5, -1), im: Float64Array.of(3, 4) };
    expect(poles(pair)).toEqual({
      re: Float64Array.of(-0.5, -1, -0.5, -1),
      im: Float64Array.of(3, 4, -3, -4),
    });
  });

  it('lie in the unit disc after zoh and bilinear, and not always after euler', () => {
    const ssm = { ...randomComplexSsm(new Random(1), 16), A: s4dLin(32) };
    const radius = (rule: 'zoh' | 'bilinear' | 'euler') => {
      const { re, im } = poles(discretize(ssm, 0.1, rule).A);
      return Math.max(...re.map((x, n) => Math.hypot(x, im[n]!)));
    };
    expect(radius('zoh')).toBeLessThan(1);
    expect(radius('bilinear')).toBeLessThan(1);
    expect(radius('euler')).toBeGreaterThan(1);
  });
});

describe('time constants and half-lives', () => {
  it('are the times in which a state decays by e and by 2', () => {
    const A = { re: Float64Array.of(-0.25, -4, 0, 1), im: Float64Array.of(9, 0, 1, 1) };
    expect([...timeConstants(A)]).toEqual([4, 0.25, Infinity, Infinity]);
    const half = halfLives(A);
    expect(Math.exp(-0.25 * half[0]!)).toBeCloseTo(0.5, 15);
    expect(Math.exp(-4 * half[1]!)).toBeCloseTo(0.5, 15);
    expect([...timeConstants(A.re)]).toEqual([...timeConstants(A)]);
    expect([...halfLives(A.re)]).toEqual([...half]);
  });

  it('in steps are those in time divided by Δ, for zoh', () => {
    const dt = 0.02;
    for (const ssm of [randomRealSsm(new Random(2), 4), randomComplexSsm(new Random(3), 4)]) {
      const discrete =
        're' in ssm.A ? discretize(ssm as never, dt, 'zoh') : discretize(ssm as never, dt, 'zoh');
      expect(
        relativeError(
          discreteTimeConstants(discrete.A),
          timeConstants(ssm.A).map((t) => t / dt),
        ),
      ).toBeLessThan(1e-12);
      expect(
        relativeError(
          discreteHalfLives(discrete.A),
          halfLives(ssm.A).map((t) => t / dt),
        ),
      ).toBeLessThan(1e-12);
    }
    expect([...discreteTimeConstants(Float64Array.of(0, 1, -2, Math.exp(-1)))]).toEqual([
      0,
      Infinity,
      Infinity,
      1,
    ]);
    expect(discreteHalfLives({ re: Float64Array.of(0), im: Float64Array.of(-0.5) })[0]).toBeCloseTo(1, 14);
  });

  it('of a kernel count the newest inputs that carry half of its weight', () => {
    expect(memoryHalfLife(Float64Array.of(3, 1, 1, 1))).toBe(1);
    expect(memoryHalfLife(Float64Array.of(1, -1, 1, -1))).toBe(2);
    expect(memoryHalfLife(Float64Array.of(0, 0, 1))).toBe(3);
    expect(memoryHalfLife(new Float64Array(5))).toBe(0);
    // One decaying state: the state's half-life, rounded up.
    const one = Float64Array.of(1);
    for (const dt of [0.013, 0.21, 0.9]) {
      const discrete = discretize({ A: Float64Array.of(-1), B: one, C: one }, dt, 'zoh');
      const kernel = diagonalKernel(discrete, Math.ceil(60 / dt));
      expect(memoryHalfLife(kernel)).toBe(Math.ceil(Math.LN2 / dt));
    }
  });
});

describe('impulseResponse', () => {
  it('is C e^{At} B: the limit of the kernel over Δ', () => {
    const dt = 1e-3;
    const times = Float64Array.from({ length: 50 }, (_, l) => l * dt);
    const real = randomRealSsm(new Random(4), 4);
    const complex = randomComplexSsm(new Random(5), 4);
    // The mamba rule has Ā^l = e^{A l Δ} and B̄ = Δ B, so its kernel is Δ times the response exactly.
    const wantReal = diagonalKernel(discretize(real, dt, 'mamba'), 50).map((k) => k / dt);
    const wantComplex = diagonalKernel(discretize(complex, dt, 'mamba'), 50).map((k) => k / dt);
    expect(relativeError(impulseResponse(real, times), wantReal)).toBeLessThan(1e-12);
    expect(relativeError(impulseResponse(complex, times), wantComplex)).toBeLessThan(1e-12);
  });

  it('refuses a model whose parts do not fit', () => {
    const real = randomRealSsm(new Random(6), 3);
    expect(() => impulseResponse({ ...real, B: new Float64Array(2) }, new Float64Array(1))).toThrow(
      /one length/,
    );
  });
});
