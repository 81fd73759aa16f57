import type { Backend, Capture, Tensor } from '@mamba-ts/backend';
import { afterAll, describe, expect, test } from 'vitest';
import { createWasmBackend } from './index.js';

type Capturing = Backend & Required<Pick<Backend, 'capture' | 'write'>>;

const backends = (await Promise.all([1, 2].map((threads) => createWasmBackend({ threads })))) as Capturing[];
afterAll(() => Promise.all(backends.map((backend) => backend.dispose())));

const values = async (tensor: Tensor) => [...(await tensor.data())];

describe.each(backends)('capture ($description)', (backend) => {
  const { ops } = backend;

  test('feeds itself', async () => {
    // A cycle through a vocabulary of 7: the row of token t has its largest value at (3 t + 1) mod 7.
    const table = Float32Array.from({ length: 49 }, (_, i) =>
      i % 7 === (3 * Math.floor(i / 7) + 1) % 7 ? 1 : 0,
    );
    const weight = backend.tensor(table, [7, 7]);
    const ids = backend.tensor([2], [1], 'i32');
    const captured = backend.capture(() =>
      backend.write(ids, ops.argmax({ x: ops.embedding({ ids, weight }) })),
    );
    const seen = await values(ids);
    for (let i = 0; i < 5; i++) {
      captured.replay();
      seen.push(...(await values(ids)));
    }
    expect(seen).toEqual([0, 1, 4, 6, 5, 2]);
    captured.dispose();
  });

  /** [x, 2 x] of one input, the second through a table whose rows the product reads in panels. */
  function embedAndMultiply(): { captured: Capture<Tensor>; weight: Tensor; x: Tensor } {
    const weight = backend.tensor([1, 0, 0, 0, 2, 0], [2, 3]);
    const x = backend.tensor([1, 10, 100], [1, 3]);
    const ids = backend.tensor([1], [1], 'i32');
    const captured = backend.capture(() => {
      const sum = ops.add({ a: ops.embedding({ ids, weight }), b: x });
      return ops.linear({ x: sum, weight });
    });
    return { captured, weight, x };
  }

  test('goes on when a weight has moved: by the capture itself, or by a read in between', async () => {
    const { captured, weight, x } = embedAndMultiply();
    for (const [a, b] of [
      [1, 10],
      [2, 20],
      [3, 30],
      [4, 40],
    ]) {
      backend.write(x, [a, b, 0]);
      captured.replay();
      expect(await values(captured.result)).toEqual([a, 2 * (b + 2)]);
      if (a === 2) expect(await values(weight)).toEqual([1, 0, 0, 0, 2, 0]);
      if (a === 3) backend.write(weight, [1, 0, 0, 0, 2, 0]);
    }
    captured.dispose();
    captured.result.dispose();
  });

  test('holds no more memory for replays that are recorded again', async () => {
    const { captured, weight } = embedAndMultiply();
    const before = backend.memory();
    for (let i = 0; i < 20; i++) {
      captured.replay();
      await weight.data();
    }
    expect(backend.memory()).toEqual(before);
  });

  test('of an op that computes in JavaScript computes it at each replay', async () => {
    const x = backend.tensor([3, 4], [2]);
    const captured = backend.capture(() => ops.gradNorm({ grads: [x] }));
    expect(await values(captured.result)).toEqual([5]);
    backend.write(x, [6, 8]);
    captured.replay();
    captured.replay();
    expect(await values(captured.result)).toEqual([10]);
  });

  test('looks at ids before each replay', async () => {
    const weight = backend.tensor([1, 2], [2, 1]);
    const ids = backend.tensor([0], [1], 'i32');
    const captured = backend.capture(() => ops.embedding({ ids, weight }));
    backend.write(ids, [2]);
    expect(() => captured.replay()).toThrow(expect.objectContaining({ code: 'SHAPE' }));
    backend.write(ids, [1]);
    captured.replay();
    expect(await values(captured.result)).toEqual([2]);
  });

  test('a replay whose input was disposed is DISPOSED, whose result was, harms nobody', async () => {
    const x = backend.tensor([1, 2], [2]);
    const captured = backend.capture(() => ops.add({ a: x, b: x }));
    captured.result.dispose();
    const other = backend.tensor([7, 7], [2]);
    captured.replay();
    expect(await values(other)).toEqual([7, 7]);
    x.dispose();
    expect(() => captured.replay()).toThrow(expect.objectContaining({ code: 'DISPOSED' }));
    captured.dispose();
  });

  test('a replay that fails frees what it took, once', async () => {
    const [x, y] = [backend.tensor([1, 2], [2]), backend.tensor([3, 4], [2])];
    const captured = backend.capture(() => ops.mul({ a: ops.add({ a: y, b: y }), b: x }));
    x.dispose();
    const before = backend.memory();
    for (let i = 0; i < 3; i++) {
      expect(() => captured.replay()).toThrow(expect.objectContaining({ code: 'DISPOSED' }));
    }
    captured.dispose();
    captured.dispose();
    expect(backend.memory()).toEqual(before);
    const others = Array.from({ length: 12 }, (_, i) => backend.tensor([i, -i], [2]));
    for (const [i, other] of others.entries()) expect(await values(other)).toEqual([i, -i]);
  });

  test('one inside another is refused', () => {
    expect(() => backend.capture(() => backend.capture(() => {}))).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
    backend.capture(() => {}).replay();
  });

  test('takes more jobs than fit into the fixed part of the memory', async () => {
    const x = backend.tensor([1], [1]);
    const captured = backend.capture(() => {
      let y: Tensor = x;
      for (let i = 0; i < 40; i++) y = ops.add({ a: y, b: x });
      return y;
    });
    backend.write(x, [2]);
    captured.replay();
    expect(await values(captured.result)).toEqual([82]);
  });
});
