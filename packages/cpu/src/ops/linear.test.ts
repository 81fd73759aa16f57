import type { LinearInputs, Tensor } from '@mamba-ts/backend';
import { narrow, widen } from '@mamba-ts/backend';
import { Random } from '@mamba-ts/ssm';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { gradientError } from '../../test/finite-differences.js';
import { type Host, host, normal, relativeError, upload, values } from '../../test/host.js';
import { createCpuBackend } from '../index.js';

const backend = await createCpuBackend();
const { ops } = backend;
afterAll(() => backend.dispose());

/** a [rows, inner] times b [inner, columns], both by index. */
function product(
  rows: number,
  inner: number,
  columns: number,
  a: (i: number, k: number) => number,
  b: (k: number, j: number) => number,
) {
  return Float64Array.from({ length: rows * columns }, (_, at) => {
    const [i, j] = [Math.floor(at / columns), at % columns];
    let sum = 0;
    for (let k = 0; k < inner; k++) sum += a(i, k) * b(k, j);
    return sum;
  });
}

/** Sizes on both sides of the tiles of 32 rows and of the groups of four. */
const size = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constantFrom(31, 32, 33, 66));

describe('linear', () => {
  it('is the matrix product by definition, forward and backward, over tiles and their rests', () => {
    fc.assert(
      fc.property(fc.nat(), size, size, size, fc.boolean(), (seed, rows, inputs, outputs, withBias) => {
        const random = new Random(seed);
        const x = normal(random, [rows, inputs]);
        const weight = normal(random, [outputs, inputs]);
        const bias = withBias ? normal(random, [outputs]) : undefined;
        const dy = normal(random, [rows, outputs]);
        backend.scope(() => {
          const tensors = upload<LinearInputs>(backend, { x, weight, bias });
          const y = product(
            rows,
            inputs,
            outputs,
            (i, k) => x.data[i * inputs + k],
            (k, j) => weight.data[j * inputs + k],
          );
          const biased = bias ? y.map((value, i) => value + bias.data[i % outputs]) : y;
          expect(relativeError(values(ops.linear(tensors)), biased)).toBeLessThan(1e-14);

          const back = ops.linearBackward(tensors, { dy: upload<Tensor>(backend, dy) });
          const dx = product(
            rows,
            outputs,
            inputs,
            (i, k) => dy.data[i * outputs + k],
            (k, j) => weight.data[k * inputs + j],
          );
          const dweight = product(
            outputs,
            rows,
            inputs,
            (i, k) => dy.data[k * outputs + i],
            (k, j) => x.data[k * inputs + j],
          );
          const dbias = product(
            1,
            rows,
            outputs,
            () => 1,
            (k, j) => dy.data[k * outputs + j],
          );
          expect(relativeError(values(back.dx), dx)).toBeLessThan(1e-13);
          expect(relativeError(values(back.dweight), dweight)).toBeLessThan(1e-13);
          if (bias) expect(relativeError(values(back.dbias!), dbias)).toBeLessThan(1e-13);
          else expect('dbias' in back).toBe(false);
        });
      }),
      { numRuns: 60 },
    );
  });

  it('keeps leading axes', () => {
    backend.scope(() => {
      const weight = backend.zeros([5, 3]);
      for (const lead of [[], [2], [2, 4]]) {
        const x = backend.zeros([...lead, 3]);
        const y = ops.linear({ x, weight });
        expect(y.shape).toEqual([...lead, 5]);
        expect(ops.linearBackward({ x, weight }, { dy: y }).dx.shape).toEqual([...lead, 3]);
      }
    });
  });

  it('agrees with central differences', () => {
    const random = new Random(1);
    const inputs = {
      x: normal(random, [2, 3, 4]),
      weight: normal(random, [5, 4]),
      bias: normal(random, [5]),
    };
    const { error, gradient } = gradientError(backend, 'linear', inputs, { '': 'dy' });
    expect(error, gradient).toBeLessThan(1e-7);
  });

  it('computes with what a stored weight stands for; its gradient is f32', () => {
    const random = new Random(2);
    const [x, dy] = [normal(random, [3, 70]), normal(random, [3, 35])];
    const weight = normal(random, [35, 70]);
    for (const stored of ['f16', 'bf16', 'int8'] as const) {
      backend.scope(() => {
        const small = backend.tensor(weight.data, weight.shape, stored);
        const wide = backend.tensor(meaning(weight, stored), weight.shape, 'f64');
        const [xs, ds] = [upload<Tensor>(backend, x), upload<Tensor>(backend, dy)];
        expect(values(ops.linear({ x: xs, weight: small }))).toEqual(
          values(ops.linear({ x: xs, weight: wide })),
        );
        const [a, b] = [small, wide].map((w) => ops.linearBackward({ x: xs, weight: w }, { dy: ds }));
        expect(values(a.dx)).toEqual(values(b.dx));
        expect(values(a.dweight)).toEqual(values(b.dweight).map(Math.fround));
        expect(a.dweight.dtype).toBe('f32');
      });
    }
  });
});

/** What a weight is rounded to: f16 and bf16 element by element, int8 in blocks of 64 along a row. */
function meaning({ data, shape }: Host, stored: 'f16' | 'bf16' | 'int8'): Float64Array {
  if (stored !== 'int8') return Float64Array.from(widen(narrow(data, stored), stored));
  const columns = shape[1];
  return data.map((value, i) => {
    const row = Math.floor(i / columns) * columns;
    const from = row + Math.floor((i - row) / 64) * 64;
    const block = data.subarray(from, Math.min(from + 64, row + columns));
    const scale = Math.fround(Math.max(...block.map(Math.abs)) / 127);
    return Math.fround(Math.round(value / scale) * scale);
  });
}

describe('weights that are stored in a smaller type', () => {
  it('hold the bytes of their type', () => {
    const bytes = (dtype: 'f64' | 'f32' | 'f16' | 'bf16' | 'int8') => {
      const before = backend.memory().bytes;
      const tensor = backend.tensor(host([4, 130], new Float64Array(520)).data, [4, 130], dtype);
      const after = backend.memory().bytes;
      tensor.dispose();
      return after - before;
    };
    expect((['f64', 'f32', 'f16', 'bf16'] as const).map(bytes)).toEqual([4160, 2080, 1040, 1040]);
    // 520 bytes, and one f32 for each of the 3 blocks of each of the 4 rows.
    expect(bytes('int8')).toBe(520 + 4 * 3 * 4);
  });
});
