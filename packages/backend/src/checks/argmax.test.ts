import { describe, expect, it } from 'vitest';
import { fake } from '../../test/fake.js';
import { expectRefusal } from '../../test/refusal.js';
import { checkArgmax } from './argmax.js';

describe('argmax', () => {
  it('drops the last axis', () => {
    expect(checkArgmax({ x: fake([2, 5, 11]) })).toEqual({
      dtype: 'f32',
      rows: 10,
      columns: 11,
      shape: [2, 5],
    });
    expectRefusal(() => checkArgmax({ x: fake([]) }), 'SHAPE', 'argmax: x has shape []');
  });
});
