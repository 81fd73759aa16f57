import fc from 'fast-check';
import { hostF32 } from '../host.js';
import type { OpCase } from './case.js';
import { Draw } from './draw.js';
import { type Family, seed, table } from './family.js';

function normCases(name: string, { shapes, seed }: { shapes: readonly number[][]; seed: number }): OpCase[] {
  const draw = new Draw(seed);
  return [{ op: 'gradNorm', name, inputs: { grads: shapes.map((shape) => draw.normal(shape)) } }];
}

export const gradNorm: Family = {
  ops: ['gradNorm'],
  directed: () =>
    table(
      {
        'one tensor': { shapes: [[17]] },
        'several tensors': { shapes: [[3, 5], [1], [2, 2, 9], [33]] },
        // Sums of many terms: each workgroup or lane has a part of it.
        'a large tensor': { shapes: [[70, 1000], [5]] },
      },
      normCases,
    ),
  random: () =>
    fc
      .record({
        shapes: fc.array(fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 3 }), {
          minLength: 1,
          maxLength: 5,
        }),
        seed: seed(),
      })
      .map((options) => normCases('random', options)),
};

interface AdamWOptions {
  shape: readonly number[];
  step: number;
  weightDecay: number;
  /** The norm that `gradNorm` gave, and the norm to clip to. */
  norm: number | undefined;
  maxNorm: number | undefined;
  seed: number;
}

function adamWCases(name: string, given: Partial<AdamWOptions>): OpCase[] {
  const { shape, step, weightDecay, norm, maxNorm, seed } = {
    shape: [5, 17],
    step: 1,
    weightDecay: 0,
    norm: undefined,
    maxNorm: undefined,
    seed: 0,
    ...given,
  };
  const draw = new Draw(seed);
  const first = step === 1;
  const inputs = {
    param: draw.normal(shape),
    grad: draw.normal(shape),
    m: first ? draw.fill(shape, () => 0) : draw.normal(shape, 0.1),
    v: first ? draw.fill(shape, () => 0) : draw.uniform(shape, 0, 0.5),
    step,
    lr: 0.01,
    beta1: 0.9,
    beta2: 0.95,
    eps: 1e-8,
    weightDecay,
    norm: norm === undefined ? undefined : hostF32([norm], []),
    maxNorm,
  };
  return [{ op: 'adamW', name, inputs }];
}

export const adamW: Family = {
  ops: ['adamW'],
  directed: () =>
    table(
      {
        'first step': {},
        'later step': { step: 12 },
        'weight decay': { step: 3, weightDecay: 0.1 },
        'clipped: norm above maxNorm': { step: 2, norm: 8, maxNorm: 1 },
        'not clipped: norm below maxNorm': { step: 2, norm: 0.5, maxNorm: 1 },
        '1025 values': { shape: [1025], step: 1000, weightDecay: 0.01, norm: 3, maxNorm: 1 },
      },
      adamWCases,
    ),
  random: () =>
    fc
      .record({
        shape: fc.array(fc.integer({ min: 1, max: 19 }), { minLength: 0, maxLength: 2 }),
        step: fc.integer({ min: 1, max: 2000 }),
        weightDecay: fc.constantFrom(0, 0.1),
        norm: fc.constantFrom(undefined, 0.3, 20),
        seed: seed(),
      })
      .map((options) =>
        adamWCases('random', { ...options, maxNorm: options.norm === undefined ? undefined : 1 }),
      ),
};
