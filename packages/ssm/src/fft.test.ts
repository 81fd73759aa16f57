import { describe, expect, it } from 'vitest';
import { complexNormals, flat, relativeError } from '../test/helpers.js';
import { type ComplexVector, complexVector } from './complex.js';
import { fft, ifft } from './fft.js';
import { Random } from './random.js';

function naive(x: ComplexVector): ComplexVector {
  const length = x.re.length;
  const out = complexVector(length);
  for (let k = 0; k < length; k++) {
    for (let n = 0; n < length; n++) {
      const angle = (-2 * Math.PI * ((k * n) % length)) / length;
      out.re[k]! += x.re[n]! * Math.cos(angle) - x.im[n]! * Math.sin(angle);
      out.im[k]! += x.re[n]! * Math.sin(angle) + x.im[n]! * Math.cos(angle);
    }
  }
  return out;
}

describe('fft', () => {
  it('is the discrete Fourier transform, of every length', () => {
    const random = new Random(1);
    for (const length of [...Array.from({ length: 34 }, (_, i) => i + 1), 97, 100, 128, 255, 500]) {
      const x = complexNormals(random, length);
      const want = naive(x);
      expect(relativeError(flat(fft(x)), flat(want))).toBeLessThan(2e-14);
      expect(relativeError(flat(ifft(want)), flat(x))).toBeLessThan(2e-14);
    }
  });

  it('is inverted by ifft at lengths where the sum would be too slow, and leaves its input alone', () => {
    for (const length of [2 ** 16, 99_991]) {
      const x = complexNormals(new Random(2), length);
      const before = flat(x).slice();
      expect(relativeError(flat(ifft(fft(x))), before)).toBeLessThan(1e-14);
      expect(flat(x)).toEqual(before);
    }
  });

  it('takes the empty vector, and refuses parts of two lengths', () => {
    expect(fft(complexVector(0))).toEqual(complexVector(0));
    expect(ifft(complexVector(0))).toEqual(complexVector(0));
    expect(() => fft({ re: new Float64Array(2), im: new Float64Array(3) })).toThrow(/one length.*2, 3/);
  });
});
