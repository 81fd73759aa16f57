import { describe, expect, it } from 'vitest';
import { fake } from '../../test/fake.js';
import { expectRefusal } from '../../test/refusal.js';
import type { Tensor } from '../tensor.js';
import { checkConcat, checkSplit } from './split-concat.js';

describe('split', () => {
  it('resolves the axis, also a negative one', () => {
    const want = { dtype: 'i32', axis: 1, outer: 2, inner: 3, sizes: [1, 0, 4], shape: [2, 5, 3] };
    const shapes = [
      [2, 1, 3],
      [2, 0, 3],
      [2, 4, 3],
    ];
    const x = fake([2, 5, 3], 'i32');
    for (const axis of [1, -2])
      expect(checkSplit({ x, sizes: [1, 0, 4], axis })).toEqual({ ...want, shapes });
  });

  it('refuses what does not fit', () => {
    const x = fake([2, 5]);
    expectRefusal(
      () => checkSplit({ x, sizes: [2, 2], axis: 1 }),
      'SHAPE',
      'split: sizes [2, 2] add up to 4, expected 5',
    );
    expectRefusal(() => checkSplit({ x, sizes: [5], axis: 2 }), 'SHAPE', 'axis 2', '-2 to 1');
    expectRefusal(() => checkSplit({ x, sizes: [5], axis: -3 }), 'SHAPE', 'axis -3');
    expectRefusal(() => checkSplit({ x, sizes: [6, -1], axis: 1 }), 'INVALID_ARGUMENT', 'got -1');
    expectRefusal(() => checkSplit({ x: fake([4], 'f16'), sizes: [4], axis: 0 }), 'DTYPE', 'x is f16');
  });
});

describe('concat', () => {
  it('adds the axis up', () => {
    const tensors = [fake([2, 1, 3]), fake([2, 4, 3])];
    expect(checkConcat({ tensors, axis: -2 })).toMatchObject({
      axis: 1,
      outer: 2,
      inner: 3,
      sizes: [1, 4],
      shape: [2, 5, 3],
    });
  });

  it('refuses what does not fit', () => {
    const concat = (...tensors: Tensor[]) => checkConcat({ tensors, axis: 1 });
    expectRefusal(() => concat(), 'INVALID_ARGUMENT', 'concat: tensors is empty');
    expectRefusal(
      () => concat(fake([2, 1]), fake([3, 1])),
      'SHAPE',
      'tensors[1] has shape [3, 1], expected [2, *]',
    );
    expectRefusal(() => concat(fake([2, 1]), fake([2])), 'SHAPE', 'tensors[1] has shape [2]');
    expectRefusal(() => concat(fake([2, 1]), fake([2, 1], 'f64')), 'DTYPE', 'tensors[1] is f64');
    expectRefusal(() => concat(fake([2])), 'SHAPE', 'axis 1 does not exist');
    expectRefusal(() => concat(fake([2, 1], 'int8')), 'DTYPE', 'tensors[0] is int8');
  });
});
