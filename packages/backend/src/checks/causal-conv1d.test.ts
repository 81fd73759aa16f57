import { describe, expect, it } from 'vitest';
import { fake } from '../../test/fake.js';
import { expectRefusal } from '../../test/refusal.js';
import type { CausalConv1dInputs } from '../ops.js';
import { checkCausalConv1d, checkCausalConv1dBackward, checkCausalConv1dStep } from './causal-conv1d.js';

describe('causalConv1d', () => {
  const inputs: CausalConv1dInputs = { x: fake([2, 5, 6]), weight: fake([6, 4]) };

  it('gives the sizes, of any width', () => {
    const want = { dtype: 'f32', batch: 2, length: 5, channels: 6, width: 4 };
    const all = { bias: fake([6]), initialState: fake([2, 3, 6]), seqIdx: fake([2, 5], 'i32') };
    expect(checkCausalConv1d({ ...inputs, ...all, activation: 'silu' })).toEqual(want);
    const grads = { dy: fake([2, 5, 6]), dLastState: fake([2, 3, 6]) };
    expect(checkCausalConv1dBackward(inputs, grads)).toEqual(want);
    const one = { x: fake([2, 6]), weight: fake([6, 1]), state: fake([2, 0, 6]) };
    expect(checkCausalConv1dStep(one)).toEqual({ ...want, length: 1, width: 1 });
  });

  it('refuses what does not fit', () => {
    const wrong = (change: object) => () => checkCausalConv1d({ ...inputs, ...change });
    expectRefusal(wrong({ weight: fake([4, 6]) }), 'SHAPE', 'weight has shape [4, 6]', '[D, W] = [6, W]');
    expectRefusal(wrong({ bias: fake([5]) }), 'SHAPE', 'bias');
    expectRefusal(wrong({ initialState: fake([2, 4, 6]) }), 'SHAPE', 'initialState', '[2, 3, 6]');
    expectRefusal(wrong({ seqIdx: fake([2, 4], 'i32') }), 'SHAPE', 'seqIdx');
    expectRefusal(wrong({ seqIdx: fake([2, 5]) }), 'DTYPE', 'seqIdx is f32');
    expectRefusal(wrong({ activation: 'swish' }), 'INVALID_ARGUMENT', "got 'swish'");
    const grads = { dy: fake([2, 5, 6]), dLastState: fake([2, 4, 6]) };
    expectRefusal(() => checkCausalConv1dBackward(inputs, grads), 'SHAPE', 'Backward: dLastState');
    const step = { x: fake([2, 6]), weight: fake([6, 4]), state: fake([2, 4, 6]) };
    expectRefusal(() => checkCausalConv1dStep(step), 'SHAPE', 'causalConv1dStep: state');
  });
});
