import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { createCpuBackend } from '../index.js';

const backend = await createCpuBackend();
const { ops } = backend;
afterAll(() => backend.dispose());

const cut = fc
  .record({
    shape: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 4 }),
    pick: fc.nat(),
    sizes: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 4 }),
    negative: fc.boolean(),
    dtype: fc.constantFrom('f32' as const, 'f64' as const, 'i32' as const),
  })
  .map(({ shape, pick, sizes, negative, dtype }) => {
    const at = pick % shape.length;
    const total = sizes.reduce((sum, size) => sum + size, 0);
    return { shape: shape.with(at, total), at, axis: negative ? at - shape.length : at, sizes, dtype };
  });

describe('split and concat', () => {
  it('cut along any axis, and put together again', async () => {
    await fc.assert(
      fc.asyncProperty(cut, async ({ shape, at, axis, sizes, dtype }) => {
        const count = shape.reduce((product, size) => product * size, 1);
        const data = Array.from({ length: count }, (_, i) => i);
        const x = backend.tensor(data, shape, dtype);
        const pieces = ops.split({ x, sizes, axis });
        const back = ops.concat({ tensors: pieces, axis });
        expect([back.shape, back.dtype, [...(await back.data())]]).toEqual([shape, dtype, data]);

        // Element by element: which piece an index along the axis falls into.
        const inner = shape.slice(at + 1).reduce((product, size) => product * size, 1);
        const seen = await Promise.all(pieces.map(async (piece) => [...(await piece.data())]));
        const want = sizes.map((_, piece) => {
          const start = sizes.slice(0, piece).reduce((sum, size) => sum + size, 0);
          return data.filter((i) => {
            const index = Math.floor(i / inner) % shape[at];
            return index >= start && index < start + sizes[piece];
          });
        });
        expect(seen).toEqual(want);
        expect(pieces.map((piece) => piece.shape)).toEqual(sizes.map((size) => shape.with(at, size)));
        for (const tensor of [x, back, ...pieces]) tensor.dispose();
      }),
    );
  });
});

describe('copy', () => {
  it('is a tensor of its own, of any type', async () => {
    for (const dtype of ['f64', 'f32', 'f16', 'bf16', 'int8', 'i32'] as const) {
      const x = backend.tensor([1, -2, 3, 4], [2, 2], dtype);
      const y = ops.copy({ x });
      const before = await x.data();
      x.dispose();
      expect([y.dtype, y.shape, await y.data()]).toEqual([dtype, [2, 2], before]);
      y.dispose();
    }
  });
});

describe('fill', () => {
  it('is f32 unless said', async () => {
    const filled = [
      ops.fill({ shape: [2, 2], value: 0.5 }),
      ops.fill({ shape: [], value: Math.PI, dtype: 'f64' }),
      ops.fill({ shape: [3], value: -7, dtype: 'i32' }),
    ];
    expect(filled.map(({ dtype }) => dtype)).toEqual(['f32', 'f64', 'i32']);
    const data = await Promise.all(filled.map(async (x) => [...(await x.data())]));
    expect(data).toEqual([[0.5, 0.5, 0.5, 0.5], [Math.PI], [-7, -7, -7]]);
    for (const tensor of filled) tensor.dispose();
  });
});
