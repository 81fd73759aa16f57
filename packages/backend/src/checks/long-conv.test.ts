import { describe, expect, it } from 'vitest';
import { fake } from '../../test/fake.js';
import { expectRefusal } from '../../test/refusal.js';
import { checkLongConv, checkLongConvBackward } from './long-conv.js';

describe('longConv', () => {
  const inputs = { x: fake([2, 5, 6]), kernel: fake([6, 9]) };

  it('gives the sizes', () => {
    const want = { dtype: 'f32', batch: 2, length: 5, channels: 6, taps: 9 };
    expect(checkLongConv({ ...inputs, D: fake([6]) })).toEqual(want);
    expect(checkLongConvBackward(inputs, { dy: fake([2, 5, 6]) })).toEqual(want);
  });

  it('refuses what does not fit', () => {
    expectRefusal(() => checkLongConv({ ...inputs, kernel: fake([5, 9]) }), 'SHAPE', 'longConv: kernel');
    expectRefusal(() => checkLongConv({ ...inputs, D: fake([5]) }), 'SHAPE', 'D has shape [5]');
    expectRefusal(() => checkLongConvBackward(inputs, { dy: fake([2, 9, 6]) }), 'SHAPE', 'Backward: dy');
  });
});
