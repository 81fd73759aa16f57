import { Random } from '@mamba-ts/ssm';
import { afterAll, describe, expect, it } from 'vitest';
import { gradientError } from '../../test/finite-differences.js';
import { normal, values } from '../../test/host.js';
import { createCpuBackend } from '../index.js';

const backend = await createCpuBackend();
const { ops } = backend;
afterAll(() => backend.dispose());

const tensor = (data: number[]) => backend.tensor(data, [data.length], 'f64');

describe('add and mul', () => {
  it('go element by element', () => {
    backend.scope(() => {
      const [a, b] = [tensor([1, -2, 0.5]), tensor([3, 5, -0.25])];
      expect([...values(ops.add({ a, b }))]).toEqual([4, 3, 0.25]);
      expect([...values(ops.mul({ a, b }))]).toEqual([3, -10, -0.125]);
    });
  });

  it('round to f32 once', () => {
    backend.scope(() => {
      const a = backend.tensor([16777216], [1]);
      const b = backend.tensor([1], [1]);
      expect(values(ops.add({ a, b }))[0]).toBe(16777216);
    });
  });
});

describe('silu', () => {
  it('is x / (1 + e^-x), and does not overflow', () => {
    backend.scope(() => {
      const x = [-1000, -30, -1, 0, 1, 30, 1000];
      const want = x.map((value) => value / (1 + Math.exp(-value)));
      const got = [...values(ops.silu({ x: tensor(x) }))];
      got.forEach((value, i) => {
        expect(Math.abs(value - want[i])).toBeLessThanOrEqual(1e-15 * Math.abs(want[i]));
      });
    });
  });

  it('has the gradient that central differences give', () => {
    const inputs = { x: normal(new Random(1), [4, 5], 3) };
    expect(gradientError(backend, 'silu', inputs, { '': 'dy' }).error).toBeLessThan(1e-7);
    backend.scope(() => {
      const ends = ops.siluBackward({ x: tensor([-1000, 1000]) }, { dy: tensor([2, 2]) }).dx;
      expect([...values(ends)].map(Math.abs)).toEqual([0, 2]);
    });
  });
});

describe('exp', () => {
  it('has a sign', () => {
    backend.scope(() => {
      const x = tensor([0, 1]);
      expect([...values(ops.exp({ x }))]).toEqual([1, Math.E]);
      expect([...values(ops.exp({ x, sign: 1 }))]).toEqual([1, Math.E]);
      expect([...values(ops.exp({ x, sign: -1 }))]).toEqual([-1, -Math.E]);
    });
  });
});

it('takes empty tensors', () => {
  backend.scope(() => {
    const x = backend.zeros([2, 0, 3]);
    for (const y of [
      ops.add({ a: x, b: x }),
      ops.mul({ a: x, b: x }),
      ops.silu({ x }),
      ops.exp({ x }),
      ops.copy({ x }),
    ])
      expect(y.shape).toEqual([2, 0, 3]);
  });
});
