import type { Backend, DType, MambaError, OpName } from '@mamba-ts/backend';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { createCpuBackend } from './index.js';

let backend: Backend;
beforeEach(async () => {
  backend = await createCpuBackend();
});

const refusal = (code: string, ...pieces: string[]) =>
  expect.objectContaining({
    name: 'MambaError',
    code,
    message: expect.stringMatching(new RegExp(pieces.map((piece) => `(?=.*${piece})`).join(''))),
  });

describe('tensors', () => {
  it('give back what was uploaded, in arrays of their type', async () => {
    const cases: [DType, number[], Float64Array | Float32Array | Int32Array][] = [
      ['f64', [0.1, 2], Float64Array.of(0.1, 2)],
      ['f32', [0.1, 2], Float32Array.of(0.1, 2)],
      ['f16', [1.0004, 70000], Float32Array.of(1, Number.POSITIVE_INFINITY)],
      ['bf16', [1.001, -3], Float32Array.of(1, -3)],
      ['int8', [127, -64], Float32Array.of(127, -64)],
      ['i32', [7, -7], Int32Array.of(7, -7)],
    ];
    for (const [dtype, data, want] of cases) {
      const tensor = backend.tensor(data, [2], dtype);
      expect([tensor.dtype, tensor.shape, await tensor.data()]).toEqual([dtype, [2], want]);
    }
    expect(backend.tensor([1], [1]).dtype).toBe('f32');
    expect(backend.zeros([1]).dtype).toBe('f32');
  });

  it('take raw bits of f16 and bf16', async () => {
    const one = { f16: 0x3c00, bf16: 0x3f80 };
    for (const dtype of ['f16', 'bf16'] as const) {
      expect(await backend.tensor(Uint16Array.of(one[dtype]), [1], dtype).data()).toEqual(Float32Array.of(1));
    }
    expect(await backend.tensor(Uint16Array.of(5), [1], 'f32').data()).toEqual(Float32Array.of(5));
  });

  it('keep a copy, and give one', async () => {
    const data = Float32Array.of(1, 2);
    const shape = [2];
    const tensor = backend.tensor(data, shape);
    data[0] = 9;
    shape[0] = 9;
    const read = await tensor.data();
    read[1] = 9;
    expect([tensor.shape, await tensor.data()]).toEqual([[2], Float32Array.of(1, 2)]);
    const bits = Uint16Array.of(0x3c00);
    const half = backend.tensor(bits, [1], 'f16');
    bits[0] = 0;
    expect(await half.data()).toEqual(Float32Array.of(1));
  });

  it('start from zeros', async () => {
    for (const dtype of ['f64', 'f32', 'f16', 'bf16', 'int8', 'i32'] as const) {
      const data = await backend.zeros([2, 33], dtype).data();
      expect([data.length, data.every((value) => value === 0)]).toEqual([66, true]);
    }
  });

  it('may be scalars, or empty', async () => {
    expect(await backend.tensor([5], []).data()).toEqual(Float32Array.of(5));
    expect(await backend.zeros([2, 0, 3]).data()).toEqual(new Float32Array(0));
  });

  it('refuse what does not fit', () => {
    expect(() => backend.tensor([1, 2], [3])).toThrow(refusal('SHAPE', '2 values', 'expected 3'));
    expect(() => backend.zeros([-1])).toThrow(refusal('SHAPE', 'zeros'));
    expect(() => backend.tensor([0.5], [1], 'i32')).toThrow(refusal('INVALID_ARGUMENT', '0.5'));
    expect(() => backend.zeros([1], 'f8' as 'f32')).toThrow(refusal('DTYPE', 'f8'));
  });

  it('cannot be used once disposed', async () => {
    const x = backend.tensor([1], [1]);
    expect(x.disposed).toBe(false);
    x.dispose();
    x.dispose();
    expect(x.disposed).toBe(true);
    await expect(x.data()).rejects.toThrow(refusal('DISPOSED'));
    expect(() => backend.ops.silu({ x })).toThrow(refusal('DISPOSED', 'silu: x'));
  });

  it('stay on their backend', async () => {
    const other = await createCpuBackend();
    expect(() => backend.ops.silu({ x: other.zeros([1]) })).toThrow(
      refusal('INVALID_ARGUMENT', 'silu: x', 'another'),
    );
  });
});

describe('memory', () => {
  it('counts the bytes of each type, and comes back to nothing', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            dtype: fc.constantFrom(
              'f64' as const,
              'f32' as const,
              'f16' as const,
              'bf16' as const,
              'i32' as const,
            ),
            shape: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }),
          }),
          { maxLength: 6 },
        ),
        (wanted) => {
          const size = { f64: 8, f32: 4, f16: 2, bf16: 2, i32: 4 };
          const tensors = wanted.map(({ dtype, shape }) => backend.zeros(shape, dtype));
          const bytes = wanted.reduce(
            (sum, w) => sum + size[w.dtype] * w.shape.reduce((a, b) => a * b, 1),
            0,
          );
          expect(backend.memory()).toEqual({ tensors: wanted.length, bytes });
          for (const tensor of tensors) tensor.dispose();
          expect(backend.memory()).toEqual({ tensors: 0, bytes: 0 });
        },
      ),
    );
  });

  it('is freed by scopes, but for what they return', () => {
    const x = backend.tensor([1, 2], [2]);
    const { kept } = backend.scope(() => {
      const y = backend.ops.silu({ x });
      return { kept: backend.ops.mul({ a: y, b: y }) };
    });
    expect([kept.disposed, backend.memory().tensors]).toEqual([false, 2]);
  });

  it('is refused past its limit, with the bytes asked for and the limit', async () => {
    const small = await createCpuBackend({ memoryLimit: 100 });
    const x = small.zeros([20]);
    let error: unknown;
    try {
      small.ops.silu({ x });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toEqual(refusal('OUT_OF_MEMORY', 'silu', '80 bytes', '100'));
    expect((error as MambaError).details).toEqual({ bytes: 80, inUse: 80, limit: 100 });
    expect(small.memory()).toEqual({ tensors: 1, bytes: 80 });
    x.dispose();
    expect(small.zeros([25]).shape).toEqual([25]);
    await expect(createCpuBackend({ memoryLimit: 0 })).rejects.toThrow(
      refusal('INVALID_ARGUMENT', 'memoryLimit'),
    );
  });

  it('is refused where the engine has none left', () => {
    expect(() => backend.zeros([2 ** 40])).toThrow(refusal('OUT_OF_MEMORY', 'zeros', `${2 ** 42} bytes`));
    expect(backend.memory().tensors).toBe(0);
  });
});

describe('an op that throws', () => {
  it('leaves nothing behind', () => {
    const ids = backend.tensor([0, 9], [2], 'i32');
    const weight = backend.zeros([3, 2]);
    const before = backend.memory();
    expect(() => backend.ops.embedding({ ids, weight })).toThrow(refusal('SHAPE', '9'));
    expect(backend.memory()).toEqual(before);
  });

  it('does so before it changes a state', async () => {
    const state = backend.tensor([1], [1, 1, 1]);
    const one = backend.tensor([1], [1, 1]);
    const D = backend.zeros([2]);
    const run = () => backend.ops.selectiveScanStep({ u: one, delta: one, A: one, B: one, C: one, D, state });
    expect(run).toThrow(refusal('SHAPE', 'selectiveScanStep: D'));
    expect(await state.data()).toEqual(Float32Array.of(1));
  });
});

describe('supports', () => {
  it('says what runs', () => {
    for (const op of Object.keys(backend.ops) as OpName[]) {
      expect([op, backend.supports(op)]).toEqual([op, true]);
      expect(backend.supports(op, { dtype: 'f64', complex: true })).toBe(true);
      expect(backend.supports(op, { dtype: 'f16' })).toBe(false);
      const weighted = ['linear', 'linearBackward', 'embedding', 'embeddingBackward'].includes(op);
      for (const weight of ['f16', 'bf16', 'int8'] as const)
        expect(backend.supports(op, { weight })).toBe(weighted);
      expect(backend.supports(op, { dtype: 'f32', weight: 'f64' })).toBe(false);
    }
    for (const name of ['fuseEverything', 'toString']) expect(backend.supports(name as OpName)).toBe(false);
  });
});

describe('dispose', () => {
  it('frees everything, and refuses what comes later', async () => {
    const x = backend.zeros([4]);
    await backend.dispose();
    await backend.dispose();
    expect([x.disposed, backend.memory()]).toEqual([true, { tensors: 0, bytes: 0 }]);
    const calls = [
      () => backend.tensor([1], [1]),
      () => backend.zeros([1]),
      () => backend.scope(() => 1),
      () => backend.ops.silu({ x }),
      () => backend.ops.concat({ tensors: [], axis: 0 }),
    ];
    for (const call of calls) expect(call).toThrow(refusal('DISPOSED'));
    expect(backend.supports('silu')).toBe(true);
  });

  it('says what it is', () => {
    expect([backend.name, backend.description]).toEqual(['cpu', expect.stringContaining('f64')]);
  });
});
