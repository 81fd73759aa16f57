import type { EmbeddingInputs, Tensor } from '@mamba-ts/backend';
import { Random } from '@mamba-ts/ssm';
import { afterAll, describe, expect, it } from 'vitest';
import { gradientError } from '../../test/finite-differences.js';
import { hostInts, normal, upload, values } from '../../test/host.js';
import { createCpuBackend } from '../index.js';

const backend = await createCpuBackend();
const { ops } = backend;
afterAll(() => backend.dispose());

describe('embedding', () => {
  const ids = hostInts([2, 3], [4, 0, 4, 1, 4, 0]);
  const weight = normal(new Random(1), [6, 5]);

  it('looks rows up', () => {
    backend.scope(() => {
      const y = ops.embedding(upload<EmbeddingInputs>(backend, { ids, weight }));
      expect(y.shape).toEqual([2, 3, 5]);
      expect([...values(y)]).toEqual(
        [...ids.data].flatMap((id) => [...weight.data.subarray(5 * id, 5 * id + 5)]),
      );
    });
  });

  it('widens stored rows to f32', () => {
    backend.scope(() => {
      const all = backend.tensor([0, 1, 2, 3, 4, 5], [6], 'i32');
      for (const dtype of ['f32', 'f16', 'bf16', 'int8'] as const) {
        const stored = backend.tensor(weight.data, weight.shape, dtype);
        const y = ops.embedding({ ids: all, weight: stored });
        expect(y.dtype).toBe('f32');
        const eye = Float64Array.from({ length: 25 }, (_, i) => (i % 6 === 0 ? 1 : 0));
        const identity = backend.tensor(eye, [5, 5]);
        // The rows by way of a product with the identity, which reads them as linear does.
        const transposed = ops.linear({ x: identity, weight: stored });
        const want = values(transposed);
        expect([...values(y)]).toEqual([...values(y)].map((_, i) => want[(i % 5) * 6 + Math.floor(i / 5)]));
      }
    });
  });

  it('adds the gradients of a repeated id, and agrees with central differences', () => {
    const { error } = gradientError(backend, 'embedding', { ids, weight }, { '': 'dy' });
    expect(error).toBeLessThan(1e-7);
    backend.scope(() => {
      const dy = backend.tensor(new Float32Array(30).fill(1), [2, 3, 5]);
      const tensors = upload<EmbeddingInputs>(backend, { ids, weight }, 'f32');
      const { dweight } = ops.embeddingBackward(tensors, { dy });
      expect([...values(dweight)].filter((_, i) => i % 5 === 0)).toEqual([2, 1, 0, 0, 3, 0]);
    });
  });

  it('gives the gradient of a stored weight in f32', () => {
    backend.scope(() => {
      const stored: Tensor = backend.zeros([6, 5], 'f16');
      const dy = backend.zeros([1, 5]);
      const { dweight } = ops.embeddingBackward({ ids: backend.zeros([1], 'i32'), weight: stored }, { dy });
      expect(dweight.dtype).toBe('f32');
    });
  });

  it('refuses ids that the vocabulary lacks, and leaves nothing behind', () => {
    const before = backend.memory();
    for (const id of [-1, 6]) {
      const bad = backend.tensor([0, id], [2], 'i32');
      const table = backend.zeros([6, 5]);
      const dy = backend.zeros([2, 5]);
      const refusal = expect.objectContaining({ code: 'SHAPE', message: expect.stringContaining(`${id}`) });
      expect(() => ops.embedding({ ids: bad, weight: table })).toThrow(refusal);
      expect(() => ops.embeddingBackward({ ids: bad, weight: table }, { dy })).toThrow(refusal);
      for (const tensor of [bad, table, dy]) tensor.dispose();
    }
    expect(backend.memory()).toEqual(before);
  });
});
