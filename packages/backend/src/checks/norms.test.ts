import { describe, expect, it } from 'vitest';
import { fake } from '../../test/fake.js';
import { expectRefusal } from '../../test/refusal.js';
import type { RmsNormInputs } from '../ops.js';
import { checkLayerNorm, checkLayerNormBackward, checkRmsNorm, checkRmsNormBackward } from './norms.js';

describe('rmsNorm and layerNorm', () => {
  const inputs: RmsNormInputs = { x: fake([2, 3, 4]), weight: fake([4]), eps: 1e-5 };

  it('gives rows and channels', () => {
    const want = { dtype: 'f32', rows: 6, channels: 4 };
    expect(checkRmsNorm({ ...inputs, residual: fake([2, 3, 4]) })).toEqual(want);
    expect(checkLayerNorm({ ...inputs, bias: fake([4]) })).toEqual(want);
    const grads = { dy: fake([2, 3, 4]), dresidual: fake([2, 3, 4]) };
    expect(checkRmsNormBackward(inputs, grads)).toEqual(want);
    expect(checkLayerNormBackward(inputs, grads)).toEqual(want);
    checkRmsNorm({ ...inputs, eps: 0 });
  });

  it('refuses what does not fit', () => {
    const wrong = (change: Partial<RmsNormInputs>) => () => checkRmsNorm({ ...inputs, ...change });
    expectRefusal(wrong({ weight: fake([3]) }), 'SHAPE', 'rmsNorm: weight has shape [3]');
    expectRefusal(wrong({ residual: fake([3, 4]) }), 'SHAPE', 'residual has shape [3, 4]');
    for (const eps of [-1, Number.NaN, Number.POSITIVE_INFINITY, '1' as unknown as number])
      expectRefusal(wrong({ eps }), 'INVALID_ARGUMENT', 'eps must be', `got ${eps}`);
    const bias = fake([5]);
    expectRefusal(() => checkLayerNorm({ ...inputs, bias }), 'SHAPE', 'layerNorm: bias');
    const dy = fake([2, 3, 5]);
    expectRefusal(() => checkRmsNormBackward(inputs, { dy }), 'SHAPE', 'rmsNormBackward: dy');
    expectRefusal(() => checkLayerNormBackward(inputs, { dy }), 'SHAPE', 'layerNormBackward: dy');
  });
});
