import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16, narrow, widen } from './half.js';

/** The two formats by their definition (IEEE 754-2008, 3.4): bits of exponent and fraction, bias, functions under test. */
const FORMATS = [
  { name: 'f16', exponentBits: 5, fractionBits: 10, widenOne: f16ToF32, narrowOne: f32ToF16 },
  { name: 'bf16', exponentBits: 8, fractionBits: 7, widenOne: bf16ToF32, narrowOne: f32ToBf16 },
] as const;

const patterns = Array.from({ length: 65536 }, (_, bits) => bits);

for (const { name, exponentBits, fractionBits, widenOne, narrowOne } of FORMATS) {
  const bias = 2 ** (exponentBits - 1) - 1;
  const specialExponent = 2 ** exponentBits - 1;
  const infinity = specialExponent * 2 ** fractionBits;
  const value = (bits: number): number => {
    const sign = bits >= 0x8000 ? -1 : 1;
    const exponent = Math.floor((bits % 0x8000) / 2 ** fractionBits);
    const fraction = (bits % 2 ** fractionBits) / 2 ** fractionBits;
    if (exponent === specialExponent) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    return exponent === 0
      ? sign * fraction * 2 ** (1 - bias)
      : sign * (1 + fraction) * 2 ** (exponent - bias);
  };
  /** The finite positive values in order; their bits are their places. */
  const grid = Float64Array.from({ length: infinity }, (_, bits) => value(bits));
  /** Nearest of the grid, of two as near the one with even bits; half a step above the largest is infinity. */
  const nearest = (x: number): number => {
    const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
    const magnitude = Math.abs(x);
    let [low, high] = [0, infinity];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (grid[middle] <= magnitude) low = middle;
      else high = middle;
    }
    const above = low + 1 < infinity ? grid[low + 1] : 2 * grid[low] - grid[low - 1];
    const [down, up] = [magnitude - grid[low], above - magnitude];
    const bits = down < up || (down === up && low % 2 === 0) ? low : low + 1;
    return sign + Math.min(bits, infinity);
  };

  describe(name, () => {
    it('widens every pattern to the value of its definition', () => {
      expect(patterns.filter((bits) => !Object.is(widenOne(bits), value(bits)))).toEqual([]);
    });

    it('returns from f32 to the same pattern', () => {
      const returns = (bits: number) => {
        const back = narrowOne(widenOne(bits));
        return Number.isNaN(value(bits)) ? Number.isNaN(value(back)) : back === bits;
      };
      expect(patterns.filter((bits) => !returns(bits))).toEqual([]);
    });

    it('rounds any f32 to the nearest value', () => {
      fc.assert(
        fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (x) => {
          expect(narrowOne(x)).toBe(nearest(x));
        }),
        { numRuns: 2000 },
      );
    });

    it('rounds to the nearest in the subnormal range and at both ends', () => {
      const smallest = grid[1];
      const largest = grid[infinity - 1];
      fc.assert(
        fc.property(
          fc.double({ min: -3, max: 3, noNaN: true }),
          fc.constantFrom(smallest, largest),
          (k, scale) => {
            const x = Math.fround(k * scale);
            if (Number.isFinite(x)) expect(narrowOne(x)).toBe(nearest(x));
          },
        ),
        { numRuns: 2000 },
      );
    });

    it('breaks ties to even', () => {
      const ties = (bits: number) => {
        const middle = (grid[bits] + grid[bits + 1]) / 2;
        const even = bits % 2 === 0 ? bits : bits + 1;
        return narrowOne(middle) === even && narrowOne(-middle) === 0x8000 + even;
      };
      expect(patterns.filter((bits) => bits + 1 < infinity && !ties(bits))).toEqual([]);
    });

    it('keeps infinities, NaN and the sign of zero', () => {
      expect(narrowOne(Number.POSITIVE_INFINITY)).toBe(infinity);
      expect(narrowOne(Number.NEGATIVE_INFINITY)).toBe(0x8000 + infinity);
      expect(value(narrowOne(Number.NaN))).toBeNaN();
      expect([narrowOne(0), narrowOne(-0)]).toEqual([0, 0x8000]);
      expect(narrowOne(3.4028234663852886e38)).toBe(infinity);
    });

    it('does arrays as it does numbers', () => {
      const raw = Uint16Array.from(patterns);
      const wide = widen(raw, name);
      expect(wide).toEqual(Float32Array.from(patterns, widenOne));
      expect(narrow(wide, name)).toEqual(Uint16Array.from(wide, narrowOne));
    });
  });
}
