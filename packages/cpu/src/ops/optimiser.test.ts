import type { AdamWInputs, Tensor } from '@mamba-ts/backend';
import { afterAll, describe, expect, it } from 'vitest';
import { relativeError, values } from '../../test/host.js';
import { createCpuBackend } from '../index.js';

const backend = await createCpuBackend();
const { ops } = backend;
afterAll(() => backend.dispose());

const tensor = (data: number[], shape = [data.length]): Tensor => backend.tensor(data, shape, 'f64');

describe('gradNorm', () => {
  it('is the length of all gradients as one vector', () => {
    backend.scope(() => {
      const norm = ops.gradNorm({ grads: [tensor([3, 0]), tensor([4], [1, 1]), tensor([12], [])] });
      expect([norm.shape, values(norm)[0]]).toEqual([[], 13]);
    });
  });
});

const BASE = { lr: 0.1, beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0 };

describe('adamW', () => {
  /** The parameter after some steps, from sums over all gradients so far instead of running moments. */
  function naive(start: number, gradients: number[], o: typeof BASE): number {
    let param = start;
    gradients.forEach((_, last) => {
      const so = gradients.slice(0, last + 1);
      const weighted = (beta: number, f: (g: number) => number) => {
        const weights = so.map((_, i) => beta ** (last - i));
        return so.reduce((sum, g, i) => sum + weights[i] * f(g), 0) / weights.reduce((a, b) => a + b);
      };
      const step = weighted(o.beta1, (g) => g) / (Math.sqrt(weighted(o.beta2, (g) => g * g)) + o.eps);
      param = param - o.lr * o.weightDecay * param - o.lr * step;
    });
    return param;
  }

  function run(gradients: number[][], change: Partial<AdamWInputs> = {}) {
    return backend.scope(() => {
      const param = tensor([1, -2, 0.5]);
      const [m, v] = [backend.zeros([3], 'f64'), backend.zeros([3], 'f64')];
      gradients.forEach((g, i) => {
        ops.adamW({ ...BASE, param, grad: tensor(g), m, v, step: i + 1, ...change });
      });
      return { param: values(param), m: values(m), v: values(v) };
    });
  }

  const gradients = [
    [0.5, -1, 1e-9],
    [0.1, 2, 0],
    [-0.3, 0.4, 1e-7],
    [1, -0.1, -3e-8],
  ];

  it('steps by the weighted means of gradients and squares, decay apart from them', () => {
    for (const weightDecay of [0, 0.1]) {
      const options = { ...BASE, weightDecay };
      const { param } = run(gradients, options);
      const want = [1, -2, 0.5].map((start, i) =>
        naive(
          start,
          gradients.map((g) => g[i]),
          options,
        ),
      );
      expect(relativeError(param, want)).toBeLessThan(1e-12);
    }
  });

  it('moves by lr at the first step, whatever the size of the gradient', () => {
    const { param } = run([[1e-3, -7, 1e4]]);
    expect(relativeError(param, [1 - 0.1, -2 + 0.1, 0.5 - 0.1])).toBeLessThan(1e-5);
  });

  it('scales the gradient down to maxNorm, never up', () => {
    backend.scope(() => {
      const g = [3, 0, 4];
      const norm = ops.gradNorm({ grads: [tensor(g)] });
      const clipped = run([g], { norm, maxNorm: 1 });
      const scale = 1 / (5 + 1e-6);
      expect(
        relativeError(
          clipped.m,
          g.map((x) => 0.1 * x * scale),
        ),
      ).toBeLessThan(1e-14);
      expect(
        relativeError(
          clipped.v,
          g.map((x) => 0.01 * (x * scale) ** 2),
        ),
      ).toBeLessThan(1e-13);
      expect(run([g], { norm, maxNorm: 100 })).toEqual(run([g]));
    });
  });

  it('leaves the gradient alone, and works in f32', () => {
    backend.scope(() => {
      const f32 = (data: number[]) => backend.tensor(data, [2]);
      const [param, grad, m, v] = [f32([1, 1]), f32([1, -1]), f32([0, 0]), f32([0, 0])];
      ops.adamW({ ...BASE, param, grad, m, v, step: 1 });
      expect([...values(grad)]).toEqual([1, -1]);
      expect([...values(m)]).toEqual([0.1, -0.1].map(Math.fround));
      expect(relativeError(values(param), [0.9, 1.1])).toBeLessThan(1e-7);
    });
  });
});
