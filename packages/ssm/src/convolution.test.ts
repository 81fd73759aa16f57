import { describe, expect, it } from 'vitest';
import { normals, relativeError } from '../test/helpers.js';
import { causalConvolution, causalConvolutionFft } from './convolution.js';
import { Random } from './random.js';

describe('causal convolution', () => {
  it('is multiplication of polynomials, cut off at the length of u', () => {
    // (1 + 2x + 3x²)(1 - x) = 1 + x + x² - 3x³
    for (const convolve of [causalConvolution, causalConvolutionFft]) {
      const y = convolve(Float64Array.of(1, 2, 3, 0), Float64Array.of(1, -1));
      expect(relativeError(y, [1, 1, 1, -3])).toBeLessThan(1e-15);
      expect(relativeError(convolve(Float64Array.of(1, -1), Float64Array.of(1, 2, 3)), [1, 1])).toBeLessThan(
        1e-15,
      );
    }
  });

  it('shifts by a unit impulse, and never looks ahead', () => {
    const u = normals(new Random(1), 50);
    const impulse = new Float64Array(50);
    impulse[7] = 1;
    const shifted = u.map((_, i) => (i < 7 ? 0 : u[i - 7]!));
    expect(causalConvolution(u, impulse)).toEqual(shifted);
    expect(relativeError(causalConvolutionFft(u, impulse), shifted)).toBeLessThan(1e-15);
  });

  it('is the same by FFT, for any lengths of input and kernel', () => {
    const random = new Random(2);
    for (const [length, taps] of [
      [1, 1],
      [2, 5],
      [31, 4],
      [64, 64],
      [100, 1000],
      [777, 777],
      [2000, 3],
    ] as const) {
      const [u, kernel] = [normals(random, length), normals(random, taps)];
      expect(relativeError(causalConvolutionFft(u, kernel), causalConvolution(u, kernel))).toBeLessThan(
        1e-14,
      );
    }
  });

  it('of nothing is nothing', () => {
    const none = new Float64Array(0);
    for (const convolve of [causalConvolution, causalConvolutionFft]) {
      expect(convolve(none, Float64Array.of(1))).toEqual(none);
      expect(convolve(Float64Array.of(1, 2), none)).toEqual(Float64Array.of(0, 0));
    }
  });
});
