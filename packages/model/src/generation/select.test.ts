import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { kthLargest } from './select.js';

it('kthLargest is what sorting gives', () => {
  const number = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.double({ noNaN: true }));
  fc.assert(
    fc.property(fc.array(number, { minLength: 1, maxLength: 60 }), fc.nat(), (list, n) => {
      const values = Float64Array.from(list, (x) => x + 0);
      const k = (n % values.length) + 1;
      expect(kthLargest(values, k)).toBe(values.slice().sort().reverse()[k - 1]);
      expect(values).toEqual(Float64Array.from(list, (x) => x + 0));
    }),
    { numRuns: 500 },
  );
});
