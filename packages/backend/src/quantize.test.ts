import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dequantizeInt8, INT8_BLOCK, quantizeInt8 } from './quantize.js';

const matrix = fc
  .record({ rows: fc.integer({ min: 1, max: 4 }), columns: fc.integer({ min: 1, max: 3 * INT8_BLOCK }) })
  .chain(({ rows, columns }) =>
    fc.record({
      rows: fc.constant(rows),
      columns: fc.constant(columns),
      data: fc.array(fc.float({ min: -1000, max: 1000, noNaN: true }), {
        minLength: rows * columns,
        maxLength: rows * columns,
      }),
    }),
  );

describe('quantizeInt8', () => {
  it('errs by at most half a step of the 254 between the extremes of a block', () => {
    fc.assert(
      fc.property(matrix, ({ rows, columns, data }) => {
        const back = dequantizeInt8(quantizeInt8(data, rows, columns), rows, columns);
        for (let row = 0; row < rows; row++) {
          for (let start = 0; start < columns; start += INT8_BLOCK) {
            const at = row * columns + start;
            const block = data.slice(at, row * columns + Math.min(start + INT8_BLOCK, columns));
            const largest = Math.max(...block.map(Math.abs));
            // The f32 scale adds its own rounding, and f32 has no step below 2^-149.
            const bound = (largest / 254) * (1 + 1e-5) + 127 * 2 ** -149;
            const worst = Math.max(...block.map((x, i) => Math.abs(back[at + i] - x)));
            expect(worst).toBeLessThanOrEqual(bound);
          }
        }
      }),
    );
  });

  it('has one scale a block of a row', () => {
    const { values, scales } = quantizeInt8(new Float32Array(3 * 130), 3, 130);
    expect([values.length, scales.length]).toEqual([390, 9]);
  });

  it('keeps the extremes of a block, and zeros', () => {
    const { values, scales } = quantizeInt8([-2, 0, 1, 2], 1, 4);
    expect([...values]).toEqual([-127, 0, 64, 127]);
    expect(scales[0]).toBe(Math.fround(2 / 127));
    expect([...dequantizeInt8(quantizeInt8([0, -0], 1, 2), 1, 2)]).toEqual([0, 0]);
  });

  it('does not wrap around where the scale is subnormal', () => {
    const tiny = Math.fround(180 * 2 ** -149);
    const { values } = quantizeInt8([tiny, -tiny], 1, 2);
    expect([...values]).toEqual([127, -127]);
  });

  it('does not pass what is not finite off as a number', () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const back = dequantizeInt8(quantizeInt8([1, bad], 1, 2), 1, 2);
      expect(back[0]).toBeNaN();
    }
  });
});
