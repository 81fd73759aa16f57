import { expect, test } from 'vitest';
import { costOfToken, dispatchesOfToken } from '../bench/cost.js';
import { MAMBA_130M } from '../bench/network.js';
import { nullGpu } from './swiftshader.js';

// bench/count.ts prints these figures.

test('a decoded token is at most six dispatches a layer, and six', { timeout: 120_000 }, async () => {
  const { layer, ends } = await dispatchesOfToken(await nullGpu(), MAMBA_130M, 'f16');
  expect(layer).toBeLessThanOrEqual(6);
  expect(ends).toBeLessThanOrEqual(6);
});

test.each(['f32', 'f16', 'int8'] as const)('its bytes are weights and state, within 15 %%: %s', (type) => {
  const { weights, state, between } = costOfToken(MAMBA_130M, type);
  expect((weights + state + between) / (weights + state)).toBeLessThan(1.15);
});
