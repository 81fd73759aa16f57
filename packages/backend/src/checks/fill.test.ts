import { describe, expect, it } from 'vitest';
import { expectRefusal } from '../../test/refusal.js';
import { checkFill } from './fill.js';

describe('fill', () => {
  it('is f32 unless said', () => {
    expect(checkFill({ shape: [2, 0], value: Number.NaN })).toEqual({ dtype: 'f32', size: 0 });
    expect(checkFill({ shape: [], value: -7, dtype: 'i32' })).toEqual({ dtype: 'i32', size: 1 });
  });

  it('refuses what does not fit', () => {
    expectRefusal(() => checkFill({ shape: [1.5], value: 0 }), 'SHAPE', 'fill: shape [1.5]');
    expectRefusal(() => checkFill({ shape: [1], value: 0, dtype: 'f16' as 'f32' }), 'DTYPE', 'f16');
    for (const value of [0.5, 2 ** 31])
      expectRefusal(() => checkFill({ shape: [1], value, dtype: 'i32' }), 'INVALID_ARGUMENT', `got ${value}`);
    expectRefusal(
      () => checkFill({ shape: [1], value: '1' as unknown as number }),
      'INVALID_ARGUMENT',
      'value',
    );
  });
});
