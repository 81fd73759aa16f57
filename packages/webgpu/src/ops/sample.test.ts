import { expect, test } from 'vitest';
import { validating } from '../../test/backends.js';

test('is one dispatch', async () => {
  const backend = await validating();
  const [logits, uniform] = [backend.zeros([3, 50280]), backend.zeros([3])];
  const { dispatches } = backend.counters;
  backend.ops.sample({ logits, uniform, temperature: 1, topK: 40, topP: 0.9 });
  expect(backend.counters.dispatches - dispatches).toBe(1);
});
