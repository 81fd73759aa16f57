import { describe, expect, test } from 'vitest';
import { noGpu, numbers, validating, webgpu } from '../test/backends.js';

describe.skipIf(noGpu)('on a device', () => {
  test('reads that start together share a submission, and see the values of their moment', async () => {
    const backend = await webgpu();
    const x = backend.tensor([1, 2, 3], [3]);
    const y = backend.ops.add({ a: x, b: x });
    const { submits } = backend.counters;
    const reads = [x.data(), y.data(), backend.ops.mul({ a: y, b: y }).data()];
    backend.write(x, [7, 7, 7]);
    y.dispose();
    expect((await Promise.all(reads)).map((values) => [...values])).toEqual([
      [1, 2, 3],
      [2, 4, 6],
      [4, 16, 36],
    ]);
    expect([...(await x.data())]).toEqual([7, 7, 7]);
    // One for the three; the write and the last read need one each.
    expect(backend.counters.submits - submits).toBeLessThanOrEqual(3);
  });

  test('an upload into a buffer that waiting commands read comes after them', async () => {
    const backend = await webgpu();
    const results = Array.from({ length: 5 }, (_, i) => {
      const x = backend.tensor([i, i + 1], [2]);
      const y = backend.ops.add({ a: x, b: x });
      x.dispose(); // the pool lends this buffer to the next upload
      return y;
    });
    const values = await Promise.all(results.map((y) => y.data()));
    expect(values.map((v) => [...v])).toEqual([0, 1, 2, 3, 4].map((i) => [2 * i, 2 * i + 2]));
  });

  test('many commands are handed over in pieces', async () => {
    const backend = await webgpu();
    let x = backend.tensor([1], [1]);
    const one = backend.tensor([1], [1]);
    const { submits } = backend.counters;
    for (let i = 0; i < 1000; i++) x = backend.ops.add({ a: x, b: one });
    expect(backend.counters.submits - submits).toBeGreaterThan(1);
    expect([...(await x.data())]).toEqual([1001]);
  });

  test('more sets of parameters than slots: the old ones are given up', async () => {
    const backend = await webgpu();
    const size = 4200;
    const x = backend.tensor(numbers(size), [1, size]);
    const expected = await x.data();
    // Each piece has an offset of its own, and so parameters of its own.
    const pieces = backend.ops.split({ x, sizes: Array(size).fill(1), axis: 1 });
    const again = backend.ops.concat({ tensors: pieces, axis: 1 });
    expect(await again.data()).toEqual(expected);
  });
});

test('the same ops on the same shapes create nothing after the first round', async () => {
  const backend = await validating();
  const weight = backend.tensor(numbers(64 * 64), [64, 64], 'f16');
  const step = () =>
    backend.scope(() => {
      const x = backend.tensor(numbers(64), [1, 64]);
      const y = backend.ops.silu({ x: backend.ops.linear({ x, weight }) });
      return backend.ops.add({ a: y, b: x });
    });
  for (let i = 0; i < 3; i++) step().dispose();
  const before = backend.counters;
  for (let i = 0; i < 10; i++) step().dispose();
  const { pipelines, bindGroups, buffers, dispatches } = backend.counters;
  expect({ pipelines, bindGroups, buffers }).toEqual({
    pipelines: before.pipelines,
    bindGroups: before.bindGroups,
    buffers: before.buffers,
  });
  expect(dispatches - before.dispatches).toBe(30);
});

test('onDispatch shows what is enqueued', async () => {
  const labels: string[] = [];
  const backend = await validating({ onDispatch: ({ label }) => labels.push(label) });
  const x = backend.tensor(numbers(8), [2, 4]);
  backend.ops.silu({ x });
  backend.ops.linear({ x, weight: backend.tensor(numbers(12), [3, 4], 'bf16') });
  expect(labels).toEqual(['elementwise OP=2', expect.stringMatching(/^matvec sum-\w+ weights-bf16 /)]);
});
