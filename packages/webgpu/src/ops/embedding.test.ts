import { describe, expect, test } from 'vitest';
import { noGpu, webgpu } from '../../test/backends.js';

describe.skipIf(noGpu)('the gradient of an embedding', () => {
  // One id is most of the tokens, as noise or spaces are; a table that is too large for one a chunk is summed as a whole.
  for (const [what, vocab, channels, tokens] of [
    ['a small table, many tokens', 5, 70, 3001],
    ['a table as large as one for words', 90_000, 96, 130],
  ] as const) {
    test(what, async () => {
      const backend = await webgpu();
      const ids = Int32Array.from({ length: tokens }, (_, t) => (t % 3 > 0 ? vocab - 1 : (t * 7919) % vocab));
      const dy = Float32Array.from({ length: tokens * channels }, (_, i) => Math.sin(i));
      const want = new Map<number, Float64Array>();
      for (const [t, id] of ids.entries()) {
        const row = want.get(id) ?? new Float64Array(channels);
        for (let d = 0; d < channels; d++) row[d]! += dy[t * channels + d]!;
        want.set(id, row);
      }
      const { dweight } = backend.scope(() =>
        backend.ops.embeddingBackward(
          { ids: backend.tensor(ids, [tokens], 'i32'), weight: backend.zeros([vocab, channels]) },
          { dy: backend.tensor(dy, [tokens, channels]) },
        ),
      );
      const got = await dweight.data();
      dweight.dispose();
      let far = 0;
      for (let id = 0; id < vocab; id++) {
        const row = want.get(id);
        for (let d = 0; d < channels; d++)
          far = Math.max(far, Math.abs(got[id * channels + d]! - (row?.[d] ?? 0)));
      }
      expect(far).toBeLessThan(1e-4);
    });
  }
});
