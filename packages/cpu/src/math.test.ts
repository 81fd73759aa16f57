import { describe, expect, it } from 'vitest';
import { sigmoid, silu, siluSlope, softplus, softplusSlope } from './math.js';

const POINTS = [-300, -40, -20, -3, -0.1, 0, 0.1, 3, 19.9, 20];

/** Central differences. */
const slope = (f: (x: number) => number, x: number) => (f(x + 1e-5) - f(x - 1e-5)) / 2e-5;

describe('sigmoid and silu', () => {
  it('satisfy their identities', () => {
    for (const x of POINTS) {
      expect(sigmoid(x) + sigmoid(-x)).toBeCloseTo(1, 15);
      expect(Math.log(sigmoid(x) / sigmoid(-x))).toBeCloseTo(x, Math.abs(x) < 30 ? 6 : -1);
      expect(silu(x)).toBe(x * sigmoid(x));
      expect(siluSlope(x)).toBeCloseTo(slope(silu, x), 8);
    }
    expect([sigmoid(-1000), sigmoid(1000), silu(-1000)].map(Math.abs)).toEqual([0, 1, 0]);
  });
});

describe('softplus', () => {
  it('is log(1 + e^x), full precision far below 0', () => {
    for (const x of POINTS) {
      expect(Math.expm1(softplus(x)) / Math.exp(x)).toBeCloseTo(1, 14);
      if (x < 20) expect(softplusSlope(x)).toBeCloseTo(slope(softplus, x), 8);
    }
  });

  it('is the identity above 20', () => {
    for (const x of [20.001, 100, 1e300]) expect([softplus(x), softplusSlope(x)]).toEqual([x, 1]);
    expect(softplus(20)).toBeGreaterThan(20);
  });
});
