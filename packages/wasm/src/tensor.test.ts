import type { Backend, DType, Tensor } from '@mamba-ts/backend';
import { Random } from '@mamba-ts/ssm';
import { afterAll, describe, expect, test } from 'vitest';
import { createWasmBackend } from './index.js';

const backends = await Promise.all([1, 2].map((threads) => createWasmBackend({ threads })));
afterAll(() => Promise.all(backends.map((backend) => backend.dispose())));

const random = new Random(7);
const uniform = (count: number) => Float32Array.from({ length: count }, () => 2 * random.next() - 1);
const values = async (tensor: Tensor) => [...(await tensor.data())];

/** A product brings its weight into panels. */
function multiplyWith(backend: Backend, weight: Tensor): number[] {
  const [n, k] = weight.shape as [number, number];
  const x = backend.tensor(uniform(2 * k), [2, k]);
  backend.ops.linear({ x, weight }).dispose();
  x.dispose();
  return [n, k];
}

describe.each(backends)('a weight that a product has read ($description)', (backend) => {
  const cases = (['f32', 'f16', 'bf16', 'int8'] as const).flatMap((dtype) =>
    // Whole panels, and rows and columns that hang over.
    [
      [48, 64],
      [1, 1],
      [19, 37],
      [33, 70],
    ].map(([n, k]) => ({ dtype: dtype as DType, n, k })),
  );

  test.each(cases)('reads back as it was: $dtype [$n, $k]', async ({ dtype, n, k }) => {
    const weight = backend.tensor(uniform(n * k), [n, k], dtype);
    const before = await values(weight);
    for (let i = 0; i < 2; i++) {
      multiplyWith(backend, weight);
      expect(await values(weight)).toEqual(before);
    }
    const { tensors, bytes } = backend.memory();
    weight.dispose();
    expect(backend.memory().tensors).toBe(tensors - 1);
    expect(backend.memory().bytes).toBeLessThan(bytes);
  });

  test.each(cases)('gives the rows of an embedding: $dtype [$n, $k]', async ({ dtype, n, k }) => {
    const weight = backend.tensor(uniform(n * k), [n, k], dtype);
    const all = await values(weight);
    const ids = [n - 1, 0, n >> 1, n - 1];
    const table = backend.tensor(ids, [4], 'i32');
    multiplyWith(backend, weight);
    const rows = await values(backend.ops.embedding({ ids: table, weight }));
    expect(rows).toEqual(ids.flatMap((id) => all.slice(id * k, id * k + k)));
  });

  test('is copied, added to, written over and trained like any tensor', async () => {
    const { ops } = backend;
    const weight = backend.tensor(uniform(19 * 37), [19, 37]);
    const before = await values(weight);
    multiplyWith(backend, weight);
    expect(await values(ops.copy({ x: weight }))).toEqual(before);
    multiplyWith(backend, weight);
    expect(await values(ops.add({ a: weight, b: weight }))).toEqual(before.map((x) => 2 * x));
    multiplyWith(backend, weight);
    const { dx } = ops.linearBackward(
      { x: backend.tensor(uniform(37), [1, 37]), weight },
      { dy: backend.tensor([1, ...new Array(18).fill(0)], [1, 19]) },
    );
    expect(await values(dx)).toEqual(before.slice(0, 37));
    multiplyWith(backend, weight);
    const next = uniform(19 * 37);
    backend.write?.(weight, next);
    expect(await values(weight)).toEqual([...next]);
  });

  test.each(['f16', 'int8'] as const)('is written over in %s', async (dtype) => {
    const weight = backend.tensor(uniform(20 * 32), [20, 32], dtype);
    multiplyWith(backend, weight);
    const next = uniform(20 * 32);
    backend.write?.(weight, next);
    expect(await values(weight)).toEqual(await values(backend.tensor(next, [20, 32], dtype)));
  });

  test('may be what it is multiplied with', async () => {
    const weight = backend.tensor([1, 2, 3, 4, 5, 6], [2, 3]);
    for (let i = 0; i < 2; i++) {
      const { tensors } = backend.memory();
      const y = backend.ops.linear({ x: weight, weight });
      expect(backend.memory().tensors).toBe(tensors + 1);
      expect(await values(y)).toEqual([14, 32, 32, 77]);
    }
  });
});
