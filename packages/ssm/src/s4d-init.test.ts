import { describe, expect, it } from 'vitest';
import { s4dInv, s4dLegS, s4dLin, s4dReal, s4dRealALog } from './s4d-init.js';

describe('s4dReal', () => {
  it('is -1, -2, ..., and A_log repeats its logarithm in every channel', () => {
    expect([...s4dReal(4)]).toEqual([-1, -2, -3, -4]);
    const aLog = s4dRealALog(3, 4);
    expect(aLog.length).toBe(12);
    for (let i = 0; i < 12; i++) expect(-Math.exp(aLog[i]!)).toBeCloseTo([-1, -2, -3, -4][i % 4]!, 14);
  });
});

describe('s4dLin', () => {
  it('has evenly spaced frequencies: π n, or n as the Mamba paper writes it', () => {
    expect(s4dLin(6)).toEqual({
      re: Float64Array.of(-0.5, -0.5, -0.5),
      im: Float64Array.of(0, Math.PI, 2 * Math.PI),
    });
    expect([...s4dLin(6, 1).im]).toEqual([0, 1, 2]);
  });
});

describe('s4dInv', () => {
  it('is N/π (N / (2n + 1) - 1)', () => {
    const { re, im } = s4dInv(4);
    expect([...re]).toEqual([-0.5, -0.5]);
    expect(im[0]).toBeCloseTo(12 / Math.PI, 14);
    expect(im[1]).toBeCloseTo(4 / 3 / Math.PI, 14);
  });
});

describe('s4dLegS', () => {
  it('is -1/2 ± i √3/2 for two states', () => {
    const { re, im } = s4dLegS(2);
    expect(re[0]).toBeCloseTo(-0.5, 15);
    expect(im[0]).toBeCloseTo(Math.sqrt(3) / 2, 15);
  });

  it('has the skew part’s Frobenius norm as the norm of its frequencies', () => {
    // Σ λ² over both halves = ‖S‖² = Σ_{n≠k} (2n+1)(2k+1) / 4 = (N⁴ - Σ (2n+1)²) / 4
    for (const states of [4, 16, 64]) {
      const { re, im } = s4dLegS(states);
      let squares = 0;
      for (let n = 0; n < states; n++) squares += (2 * n + 1) ** 2;
      const sum = im.reduce((total, x) => total + 2 * x * x, 0);
      expect(Math.abs(sum / ((states ** 4 - squares) / 4) - 1)).toBeLessThan(1e-13);
      for (const x of re) expect(x).toBeCloseTo(-0.5, 11);
    }
  });

  it('is what s4dInv approaches: the largest frequency within 2 % at N = 64', () => {
    const [legs, inv] = [s4dLegS(64), s4dInv(64)];
    expect(Math.abs(legs.im[31]! / inv.im[0]! - 1)).toBeLessThan(0.02);
  });
});

describe('the number of states', () => {
  it('is a positive integer, and even for the complex ones', () => {
    for (const bad of [0, -2, 2.5]) {
      for (const init of [s4dReal, s4dLin, s4dInv, s4dLegS, (n: number) => s4dRealALog(1, n)]) {
        expect(() => init(bad)).toThrow(/number of states/);
      }
    }
    for (const init of [s4dLin, s4dInv, s4dLegS]) expect(() => init(5)).toThrow(/even/);
  });
});
