import { describe, expect, it } from 'vitest';
import { initDt, initDtBias, inverseSoftplus } from './dt-init.js';
import { Random } from './random.js';

const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

describe('inverseSoftplus', () => {
  it('is the inverse of softplus', () => {
    for (const y of [1e-12, 1e-8, 1e-4, 0.001, 0.1, Math.LN2, 1, 5, 30, 700, 1e4]) {
      expect(Math.abs(softplus(inverseSoftplus(y)) - y) / y).toBeLessThan(1e-14);
    }
    expect(inverseSoftplus(Math.LN2)).toBeCloseTo(0, 15);
    expect(inverseSoftplus(1e-300)).toBeCloseTo(-300 * Math.LN10, 10);
  });

  it('refuses what softplus never gives', () => {
    for (const bad of [0, -1, Number.NaN]) expect(() => inverseSoftplus(bad)).toThrow(RangeError);
  });
});

describe('initDt', () => {
  it('is log-uniform in [dtMin, dtMax]', () => {
    const count = 50_000;
    const dt = initDt(count, new Random(1));
    const position = dt.map((x) => Math.log(x / 0.001) / Math.log(100)).sort();
    expect(position[0]).toBeGreaterThanOrEqual(-1e-12);
    expect(position[count - 1]).toBeLessThanOrEqual(1 + 1e-12);
    // Kolmogorov-Smirnov against the uniform distribution; 1.95 / sqrt(n) is passed once in a thousand seeds.
    const distance = position.reduce((worst, x, i) => Math.max(worst, Math.abs(x - (i + 0.5) / count)), 0);
    expect(distance).toBeLessThan(1.95 / Math.sqrt(count));
  });

  it('keeps the range and the floor that it is given', () => {
    const dt = initDt(1000, new Random(2), { dtMin: 1e-6, dtMax: 1, floor: 0.01 });
    expect(Math.min(...dt)).toBe(0.01);
    expect(Math.max(...dt)).toBeGreaterThan(0.5);
    const fixed = initDt(2, new Random(2), { dtMin: 0.03, dtMax: 0.03 });
    for (const x of fixed) expect(x).toBeCloseTo(0.03, 15);
  });

  it('gives the bias whose softplus is the step', () => {
    const dt = initDt(100, new Random(3));
    const bias = initDtBias(100, new Random(3));
    for (let i = 0; i < 100; i++) expect(Math.abs(softplus(bias[i]!) / dt[i]! - 1)).toBeLessThan(1e-13);
  });

  it('refuses an empty range', () => {
    const random = new Random(4);
    expect(() => initDt(1, random, { dtMin: 0 })).toThrow(/dtMin/);
    expect(() => initDt(1, random, { dtMin: 0.2, dtMax: 0.1 })).toThrow(/dtMin/);
    expect(() => initDt(1, random, { dtMax: Number.POSITIVE_INFINITY })).toThrow(/dtMax/);
    expect(() => initDtBias(1, random, { floor: -1 })).toThrow(/floor/);
  });
});
