import { describe, expect, test } from 'vitest';
import { noGpu, numbers, validating, webgpu } from '../test/backends.js';
import { expectCode } from '../test/expect-code.js';

describe.skipIf(noGpu)('capture', () => {
  test('feeds itself: the next input never leaves the GPU', async () => {
    const backend = await webgpu();
    // A cycle through a vocabulary of 7: the row of token t has its largest value at (3 t + 1) mod 7.
    const table = Float32Array.from({ length: 49 }, (_, i) =>
      i % 7 === (3 * Math.floor(i / 7) + 1) % 7 ? 1 : 0,
    );
    const weight = backend.tensor(table, [7, 7]);
    const id = backend.tensor([2], [1], 'i32');
    const captured = backend.capture(() => {
      const next = backend.ops.argmax({ x: backend.ops.embedding({ ids: id, weight }) });
      backend.write(id, next);
    });
    const reads = [id.data()];
    for (let i = 0; i < 5; i++) {
      captured.replay();
      reads.push(id.data());
    }
    const ids = (await Promise.all(reads)).map(([value]) => value);
    expect(ids).toEqual([0, 1, 4, 6, 5, 2]);
  });

  test('gives its memory back when it is disposed', async () => {
    const backend = await webgpu();
    const x = backend.tensor([1, 2], [2]);
    const captured = backend.capture(() => {
      const y = backend.ops.add({ a: x, b: x }); // freed when the scope ends, used by every replay
      return backend.ops.mul({ a: y, b: y });
    });
    captured.dispose();
    const { buffers } = backend.counters;
    backend.tensor([9, 9], [2]);
    expect(backend.counters.buffers).toBe(buffers);
  });

  test('a state that shares its buffer is copied once, before the recording goes on', async () => {
    const backend = await webgpu();
    const both = backend.tensor(numbers(2 * 3 * 4), [2, 3, 4]);
    const [state] = backend.ops.split({ x: both, sizes: [1, 1], axis: 0 });
    const before = await both.data();
    const x = backend.tensor(numbers(4, 2), [1, 4]);
    const weight = backend.tensor(numbers(16, 3), [4, 4]);
    const captured = backend.capture(() => backend.ops.causalConv1dStep({ x, weight, state: state! }));
    for (let i = 0; i < 3; i++) captured.replay();
    // Three inputs of the same value fill the window, oldest first.
    const values = [...(await x.data())];
    expect([...(await state!.data())]).toEqual([...values, ...values, ...values]);
    expect(await both.data()).toEqual(before);
  });
});

test('a replay creates no buffer, no bind group and no pipeline', async () => {
  const backend = await validating();
  const x = backend.zeros([1, 8]);
  const captured = backend.capture(() => backend.ops.silu({ x: backend.ops.add({ a: x, b: x }) }));
  const before = backend.counters;
  for (let i = 0; i < 100; i++) captured.replay();
  expect(backend.counters.dispatches - before.dispatches).toBe(200);
  const { pipelines, bindGroups, buffers } = backend.counters;
  expect([pipelines, bindGroups, buffers]).toEqual([before.pipelines, before.bindGroups, before.buffers]);
});

test('after a capture that threw, ops run as always', async () => {
  const backend = await validating();
  const x = backend.zeros([8]);
  expect(() =>
    backend.capture(() => {
      throw new Error('no');
    }),
  ).toThrow('no');
  const { dispatches } = backend.counters;
  backend.ops.add({ a: x, b: x });
  expect(backend.counters.dispatches).toBe(dispatches + 1);
});

test('write refuses disposed tensors', async () => {
  const backend = await validating();
  const x = backend.zeros([2, 2]);
  x.dispose();
  expectCode('DISPOSED', () => backend.write(x, [1, 2, 3, 4]));
});
