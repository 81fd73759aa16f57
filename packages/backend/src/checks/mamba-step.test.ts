import { describe, expect, it } from 'vitest';
import { fake } from '../../test/fake.js';
import { expectRefusal } from '../../test/refusal.js';
import { checkMambaStep } from './mamba-step.js';

const inputs = {
  x: fake([2, 6]),
  residual: fake([2, 6]),
  normWeight: fake([6]),
  eps: 1e-5,
  inProj: fake([20, 6], 'f16'),
  convWeight: fake([10, 4]),
  convBias: fake([10]),
  convState: fake([2, 3, 10]),
  xProj: fake([3 + 2 * 5, 10], 'int8'),
  dtProj: fake([10, 3], 'bf16'),
  dtBias: fake([10]),
  A: fake([10, 5]),
  D: fake([10]),
  state: fake([2, 10, 5]),
  outProj: fake([6, 10]),
};

describe('mambaStep', () => {
  it('gives the sizes, with and without options, whatever the types of the projections', () => {
    const dims = { dtype: 'f32', batch: 2, model: 6, channels: 10, width: 4, rank: 3, states: 5 };
    expect(checkMambaStep(inputs)).toEqual(dims);
    const { residual, convBias, D, ...bare } = inputs;
    expect(checkMambaStep(bare)).toEqual(dims);
    const narrow = { ...inputs, convWeight: fake([10, 1]), convState: fake([2, 0, 10]) };
    expect(checkMambaStep(narrow)).toEqual({ ...dims, width: 1 });
  });

  it.each([
    ['residual', [2, 7], 'expected [B, E] = [2, 6]'],
    ['normWeight', [5], 'expected [E] = [6]'],
    ['inProj', [10, 6], 'expected [20, E] = [20, 6]'],
    ['convState', [2, 4, 10], 'expected [B, 3, D] = [2, 3, 10]'],
    ['xProj', [12, 10], 'expected [13, D] = [13, 10]'],
    ['A', [5, 10], 'mambaStep: A has shape [5, 10]'],
    ['state', [1, 10, 5], 'expected [B, D, N] = [2, 10, 5]'],
    ['outProj', [10, 6], 'expected [E, D] = [6, 10]'],
  ])('%s of shape %j does not fit', (name, shape, expected) => {
    expectRefusal(() => checkMambaStep({ ...inputs, [name]: fake(shape) }), 'SHAPE', expected);
  });

  it('only projections may be of a smaller type, and eps is a number', () => {
    for (const name of ['x', 'convWeight', 'A', 'state', 'dtBias']) {
      const { shape } = inputs[name as 'x'];
      const wrong = { ...inputs, [name]: fake(shape, 'f16') };
      expectRefusal(() => checkMambaStep(wrong), 'DTYPE', `mambaStep: ${name} is f16`);
    }
    expectRefusal(() => checkMambaStep({ ...inputs, eps: -1 }), 'INVALID_ARGUMENT', 'eps');
    const without = { ...inputs, outProj: undefined as never };
    expectRefusal(() => checkMambaStep(without), 'INVALID_ARGUMENT', 'outProj must be a tensor');
  });
});
