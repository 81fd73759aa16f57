import { expect, test } from 'vitest';
import { histogram } from './half-lives.js';
import { impulseResponse } from './impulse-response.js';

test('a histogram counts every value, those beyond the axis at its ends', () => {
  const bins = histogram(Float64Array.of(1e-9, 1, 1, 1e9));
  expect(bins.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
  expect([bins[0], bins.at(-1), Math.max(...bins)]).toEqual([0.25, 0.25, 0.5]);
});

test('the response of S4D-Real is a sum of exponentials', () => {
  const dt = 0.01;
  const kernel = impulseResponse('S4D-Real', dt);
  const plain = Array.from({ length: 400 }, (_, step) => {
    let sum = 0;
    // The integral of exp(-n t) over the step.
    for (let n = 1; n <= 64; n++) sum += (Math.exp(-n * dt * step) * (1 - Math.exp(-n * dt))) / n;
    return sum;
  });
  kernel.forEach((value, step) => {
    expect(value).toBeCloseTo(plain[step]! / plain[0]!, 12);
  });
});
