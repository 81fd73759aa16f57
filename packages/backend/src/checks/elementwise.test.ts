import { describe, expect, it } from 'vitest';
import { fake } from '../../test/fake.js';
import { expectRefusal } from '../../test/refusal.js';
import { checkBinary, checkExp, checkSilu, checkSiluBackward } from './elementwise.js';

describe('elementwise ops', () => {
  it('gives the shape, empty ones too', () => {
    const [a, b] = [fake([2, 0, 3], 'f64'), fake([2, 0, 3], 'f64')];
    expect(checkBinary('add', { a, b })).toEqual({ dtype: 'f64', shape: [2, 0, 3], size: 0 });
    expect(checkSilu({ x: fake([]) })).toEqual({ dtype: 'f32', shape: [], size: 1 });
    expect(checkExp({ x: fake([4]), sign: -1 }).size).toBe(4);
    expect(checkSiluBackward({ x: fake([4]) }, { dy: fake([4]) }).size).toBe(4);
  });

  it('refuses what does not fit', () => {
    const a = fake([2, 3]);
    expectRefusal(
      () => checkBinary('mul', { a, b: fake([3]) }),
      'SHAPE',
      'mul: b has shape [3], expected [2, 3], the shape of a',
    );
    expectRefusal(() => checkBinary('add', { a, b: fake([2, 3], 'f64') }), 'DTYPE', 'add: b is f64');
    expectRefusal(() => checkSilu({ x: fake([2], 'i32') }), 'DTYPE', 'silu: x is i32');
    expectRefusal(() => checkSiluBackward({ x: a }, { dy: fake([2]) }), 'SHAPE', 'siluBackward: dy');
    expectRefusal(() => checkExp({ x: a, sign: 2 as 1 }), 'INVALID_ARGUMENT', 'exp: sign', 'got 2');
  });
});
