import { describe, expect, it } from 'vitest';
import { fake } from '../../test/fake.js';
import { expectRefusal } from '../../test/refusal.js';
import { checkLinear, checkLinearBackward } from './linear.js';

describe('linear', () => {
  const [x, weight] = [fake([2, 3, 4]), fake([5, 4])];

  it('gives rows and the shape of the result', () => {
    expect(checkLinear({ x, weight, bias: fake([5]) })).toEqual({
      dtype: 'f32',
      rows: 6,
      inputs: 4,
      outputs: 5,
      shape: [2, 3, 5],
    });
    expect(checkLinearBackward({ x, weight }, { dy: fake([2, 3, 5]) }).rows).toBe(6);
  });

  it('refuses what does not fit', () => {
    expectRefusal(() => checkLinear({ x, weight: fake([4, 5]) }), 'SHAPE', 'linear: weight has shape [4, 5]');
    expectRefusal(() => checkLinear({ x, weight, bias: fake([4]) }), 'SHAPE', 'bias has shape [4]');
    expectRefusal(() => checkLinear({ x: fake([4], 'bf16'), weight }), 'DTYPE', 'x is bf16');
    expectRefusal(() => checkLinearBackward({ x, weight }, { dy: fake([3, 2, 5]) }), 'SHAPE', 'Backward: dy');
  });
});
