import { describe, expect, test } from 'vitest';
import { noGpu, validating, webgpu } from '../../test/backends.js';

// That the tokens are right is said by the conformance suite.

describe.skipIf(noGpu)('sample', () => {
  test.each([Number.NaN, Number.POSITIVE_INFINITY])(
    'of logits with %d has no log-probability',
    async (bad) => {
      const backend = await webgpu();
      const logits = backend.tensor([0, 1, bad, 2, 0, 1, 2, 3], [2, 4]);
      const uniform = backend.tensor([0.5, 0.5], [2]);
      for (const temperature of [0, 1]) {
        const { logprob } = backend.ops.sample({ logits, uniform, temperature, topK: 2 });
        const [first, second] = await logprob.data();
        expect(Number.isFinite(first)).toBe(false);
        expect(Number.isFinite(second)).toBe(true);
      }
    },
  );
});

test('is one dispatch', async () => {
  const backend = await validating();
  const [logits, uniform] = [backend.zeros([3, 50280]), backend.zeros([3])];
  const { dispatches } = backend.counters;
  backend.ops.sample({ logits, uniform, temperature: 1, topK: 40, topP: 0.9 });
  expect(backend.counters.dispatches - dispatches).toBe(1);
});
