import { afterAll, describe, expect, it } from 'vitest';
import { createCpuBackend } from '../index.js';

const backend = await createCpuBackend();
afterAll(() => backend.dispose());

describe('argmax', () => {
  it('is the first of the largest of each row', async () => {
    const x = backend.tensor([1, 3, 3, -1, -2, -1, 0, 0, 0, Number.NEGATIVE_INFINITY, -5, -6], [2, 2, 3]);
    const y = backend.ops.argmax({ x });
    expect([y.shape, y.dtype, [...(await y.data())]]).toEqual([[2, 2], 'i32', [1, 0, 0, 1]]);
    expect(backend.ops.argmax({ x: backend.tensor([7], [1]) }).shape).toEqual([]);
  });
});
