import { describe, expect, it } from 'vitest';
import { fake } from '../../test/fake.js';
import { expectRefusal } from '../../test/refusal.js';
import { checkLinearRecurrence, checkLinearRecurrenceBackward } from './linear-recurrence.js';

describe('linearRecurrence', () => {
  const inputs = { a: fake([2, 5, 6]), b: fake([2, 5, 6]) };

  it('gives the sizes', () => {
    const want = { dtype: 'f32', batch: 2, length: 5, channels: 6 };
    expect(checkLinearRecurrence({ ...inputs, initialState: fake([2, 6]) })).toEqual(want);
    const grads = { dh: fake([2, 5, 6]), dLastState: fake([2, 6]) };
    expect(checkLinearRecurrenceBackward(inputs, grads)).toEqual(want);
  });

  it('refuses what does not fit', () => {
    const check = (change: object) => () => checkLinearRecurrence({ ...inputs, ...change });
    expectRefusal(check({ b: fake([2, 6, 5]) }), 'SHAPE', 'linearRecurrence: b');
    expectRefusal(check({ initialState: fake([2, 5]) }), 'SHAPE', 'initialState');
    expectRefusal(check({ algorithm: 'magic' }), 'INVALID_ARGUMENT', "got 'magic'");
    const dh = fake([1, 5, 6]);
    expectRefusal(() => checkLinearRecurrenceBackward(inputs, { dh }), 'SHAPE', 'Backward: dh');
  });
});
