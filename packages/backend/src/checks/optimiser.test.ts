import { describe, expect, it } from 'vitest';
import { fake } from '../../test/fake.js';
import { expectRefusal } from '../../test/refusal.js';
import type { AdamWInputs } from '../ops.js';
import { checkAdamW, checkGradNorm } from './optimiser.js';

describe('gradNorm', () => {
  it('takes any shapes of one type', () => {
    expect(checkGradNorm({ grads: [fake([2]), fake([3, 4])] })).toEqual({ dtype: 'f32' });
    expectRefusal(() => checkGradNorm({ grads: [] }), 'INVALID_ARGUMENT', 'gradNorm: grads is empty');
    expectRefusal(() => checkGradNorm({ grads: [fake([2]), fake([2], 'f64')] }), 'DTYPE', 'grads[1] is f64');
  });
});

describe('adamW', () => {
  const inputs: AdamWInputs = {
    param: fake([2, 3]),
    grad: fake([2, 3]),
    m: fake([2, 3]),
    v: fake([2, 3]),
    step: 1,
    lr: 1e-3,
    beta1: 0.9,
    beta2: 0.95,
    eps: 1e-8,
    weightDecay: 0.1,
  };

  it('gives the size', () => {
    expect(checkAdamW(inputs)).toEqual({ dtype: 'f32', size: 6 });
    checkAdamW({ ...inputs, norm: fake([]), maxNorm: 1 });
  });

  it('refuses what does not fit', () => {
    const wrong = (change: Partial<AdamWInputs>) => () => checkAdamW({ ...inputs, ...change });
    expectRefusal(wrong({ m: fake([3, 2]) }), 'SHAPE', 'adamW: m has shape [3, 2]', 'the shape of param');
    expectRefusal(wrong({ v: fake([2, 3], 'f64') }), 'DTYPE', 'v is f64');
    expectRefusal(wrong({ norm: fake([1]), maxNorm: 1 }), 'SHAPE', 'norm');
    expectRefusal(wrong({ norm: fake([]) }), 'INVALID_ARGUMENT', 'norm and maxNorm go together');
    expectRefusal(wrong({ maxNorm: 1 }), 'INVALID_ARGUMENT', 'norm and maxNorm go together');
    expectRefusal(wrong({ norm: fake([]), maxNorm: 0 }), 'INVALID_ARGUMENT', 'maxNorm');
    for (const [name, bad] of [
      ['step', 0],
      ['lr', -1],
      ['beta1', 1],
      ['beta2', -0.1],
      ['eps', Number.NaN],
      ['weightDecay', Number.POSITIVE_INFINITY],
    ] as const)
      expectRefusal(wrong({ [name]: bad }), 'INVALID_ARGUMENT', `${name} must be`, `got ${bad}`);
  });
});
