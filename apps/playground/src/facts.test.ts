import { expect, test } from 'vitest';
import { layerHalfLives } from './facts.js';

test('after so many tokens, half is left', () => {
  const A = [1, 2, 3, 0.5];
  const dt = [0.1, 0.01];
  const lives = layerHalfLives(
    Float64Array.from(A, Math.log),
    Float64Array.from(dt, (x) => Math.log(Math.expm1(x))),
  );
  lives.forEach((tokens, i) => {
    const decay = Math.exp(-A[i]! * dt[Math.floor(i / 2)]!);
    expect(decay ** tokens).toBeCloseTo(0.5, 12);
  });
});
