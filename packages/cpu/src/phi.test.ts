import { complexPhi1 } from '@mamba-ts/ssm';
import { describe, expect, it } from 'vitest';
import { complexPhi1Slope, phi1, phi1Slope } from './phi.js';

/** Five points of Gauss and Legendre on each of 40 pieces of [0, 1]: exact here to rounding. */
function integral(f: (s: number) => number): number {
  const inner = Math.sqrt(5 - 2 * Math.sqrt(10 / 7)) / 3;
  const outer = Math.sqrt(5 + 2 * Math.sqrt(10 / 7)) / 3;
  const points = [0, inner, -inner, outer, -outer];
  const weights = [
    128 / 225,
    ...[1, 1].map(() => (322 + 13 * Math.sqrt(70)) / 900),
    ...[1, 1].map(() => (322 - 13 * Math.sqrt(70)) / 900),
  ];
  let sum = 0;
  for (let piece = 0; piece < 40; piece++) {
    points.forEach((point, i) => {
      sum += (weights[i] * f((piece + (1 + point) / 2) / 40)) / 80;
    });
  }
  return sum;
}

const REAL = [-30, -3, -0.51, -0.5, -0.49, -1e-3, -1e-9, 0, 1e-300, 1e-9, 1e-3, 0.49, 0.5, 0.51, 3, 10];

describe('phi1', () => {
  it('is the integral of e^(xs), its slope that of s e^(xs)', () => {
    for (const x of REAL) {
      expect(phi1(x) / integral((s) => Math.exp(x * s))).toBeCloseTo(1, 13);
      expect(phi1Slope(x) / integral((s) => s * Math.exp(x * s))).toBeCloseTo(1, 12);
    }
    expect([phi1(0), phi1Slope(0)]).toEqual([1, 0.5]);
  });
});

describe('complexPhi1Slope', () => {
  it('is the integral of s e^(zs)', () => {
    for (const re of [-5, -0.5, -1e-4, 0, 1e-9, 0.3]) {
      for (const im of [-20, -0.5, -1e-5, 0, 1e-9, 0.4, 7]) {
        const exp = [Math.exp(re) * Math.cos(im), Math.exp(re) * Math.sin(im)] as const;
        const [x, y] = complexPhi1Slope([re, im], exp, complexPhi1([re, im]));
        const wantRe = integral((s) => s * Math.exp(re * s) * Math.cos(im * s));
        const wantIm = integral((s) => s * Math.exp(re * s) * Math.sin(im * s));
        const size = Math.hypot(wantRe, wantIm);
        expect(Math.hypot(x - wantRe, y - wantIm) / size).toBeLessThan(1e-13);
      }
    }
  });
});
