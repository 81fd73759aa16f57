import { expect, test } from 'vitest';
import { kvCacheBytes } from './kv-cache.js';

test('a key and a value of each layer and token', () => {
  // GPT-2 small: 12 layers of width 768, 1024 tokens, f32: 72 MiB.
  expect(kvCacheBytes(768, 24, 1024)).toBe(72 * 2 ** 20);
  expect(kvCacheBytes(16, 1, 8)).toBe(2 * 4 * 16 * 8);
});
