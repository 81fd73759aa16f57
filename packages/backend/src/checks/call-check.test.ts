import { describe, expect, it } from 'vitest';
import { fake, fakePair } from '../../test/fake.js';
import { expectRefusal } from '../../test/refusal.js';
import type { Tensor } from '../tensor.js';
import { CallCheck } from './call-check.js';

describe('CallCheck', () => {
  it('learns sizes from the first tensor that shows a letter', () => {
    const call = new CallCheck('op');
    call.float('x', fake([2, 3, 5]), ['...', 'D']);
    call.float('w', fake([5, 7]), ['D', 'E']);
    expect(call.leading).toEqual([2, 3]);
    expect(call.rows).toBe(6);
    expect([call.size('D'), call.size('E')]).toEqual([5, 7]);
    expect(call.dtype).toBe('f32');
  });

  it('says op, argument, what it got, and what was expected in letters and sizes', () => {
    const call = new CallCheck('someOp');
    call.float('u', fake([2, 64, 24]), ['B', 'L', 'D']);
    expectRefusal(
      () => call.float('delta', fake([2, 63, 24]), ['B', 'L', 'D']),
      'SHAPE',
      'someOp: delta has shape [2, 63, 24], expected [B, L, D] = [2, 64, 24]',
    );
    expectRefusal(() => call.float('A', fake([24]), ['D', 'N']), 'SHAPE', 'expected [D, N] = [24, N]');
    expectRefusal(
      () => call.float('state', fake([2, 4, 24]), ['B', 3, 'D']),
      'SHAPE',
      '[B, 3, D] = [2, 3, 24]',
    );
  });

  it('compares leading axes as a whole', () => {
    const call = new CallCheck('op');
    call.float('x', fake([2, 3, 5]), ['...', 'D']);
    call.float('dy', fake([2, 3, 5]), ['...', 'D']);
    expectRefusal(
      () => call.float('dy', fake([3, 2, 5]), ['...', 'D']),
      'SHAPE',
      'dy has shape [3, 2, 5], expected [..., D] = [2, 3, 5]',
    );
    expectRefusal(() => call.float('dy', fake([]), ['...', 'D']), 'SHAPE', 'dy has shape []');
    const scalar = new CallCheck('op');
    scalar.float('x', fake([4]), ['...', 'D']);
    expect(scalar.leading).toEqual([]);
    expect(scalar.rows).toBe(1);
  });

  it('refuses empty axes that have a letter, and takes them where a size of 0 is expected', () => {
    const call = new CallCheck('op');
    expectRefusal(() => call.float('x', fake([2, 0]), ['B', 'D']), 'SHAPE', 'x has shape [2, 0]', 'empty');
    expectRefusal(() => call.float('x', fake([0, 2]), ['...', 'D']), 'SHAPE', 'empty');
    call.float('state', fake([2, 0, 4]), ['B', 0, 'D']);
  });

  it('wants one floating type', () => {
    const call = new CallCheck('op');
    expectRefusal(() => call.float('x', fake([1], 'i32'), ['D']), 'DTYPE', 'x is i32, expected f32');
    expectRefusal(() => call.float('x', fake([1], 'f16'), ['D']), 'DTYPE', 'x is f16');
    call.float('x', fake([1], 'f64'), ['D']);
    expectRefusal(() => call.float('y', fake([1], 'f32'), ['D']), 'DTYPE', 'op: y is f32, but x is f64');
    expectRefusal(() => call.int32('ids', fake([1]), ['D']), 'DTYPE', 'ids is f32, expected i32');
  });

  it('takes storage types for weights only', () => {
    for (const dtype of ['f16', 'bf16', 'int8', 'f32'] as const) {
      const call = new CallCheck('op');
      call.float('x', fake([4]), ['...', 'in']);
      call.weight('weight', fake([3, 4], dtype), ['out', 'in']);
    }
    const call = new CallCheck('op');
    call.float('x', fake([4]), ['...', 'in']);
    expectRefusal(
      () => call.weight('weight', fake([3, 4], 'f64'), ['out', 'in']),
      'DTYPE',
      'weight is f64, but x',
    );
    expectRefusal(() => call.weight('weight', fake([3, 4], 'i32'), ['out', 'in']), 'DTYPE', 'weight is i32');
  });

  it('checks both parts of a complex tensor, and that it is complex where A is', () => {
    const call = new CallCheck('op');
    call.matchingFloat('A', fakePair([2, 3]), true, ['D', 'N']);
    expectRefusal(
      () => call.matchingFloat('h', { re: fake([2, 3]), im: fake([2, 4]) }, true, ['D', 'N']),
      'SHAPE',
      'h.im has shape [2, 4]',
    );
    expectRefusal(
      () => call.matchingFloat('h', fake([2, 3]), true, ['D', 'N']),
      'DTYPE',
      'h must be complex',
    );
    expectRefusal(
      () => call.matchingFloat('h', fakePair([2, 3]), false, ['D', 'N']),
      'DTYPE',
      'h is complex',
    );
  });

  it('names what is not a tensor', () => {
    const call = new CallCheck('op');
    const wrong = (x: unknown) => () => call.float('x', x as Tensor, ['D']);
    expectRefusal(wrong(undefined), 'INVALID_ARGUMENT', 'op: x must be a tensor, got nothing');
    expectRefusal(wrong(null), 'INVALID_ARGUMENT', 'got null');
    expectRefusal(wrong([1, 2]), 'INVALID_ARGUMENT', 'got an array', 'backend.tensor');
    expectRefusal(wrong(3), 'INVALID_ARGUMENT', 'got 3');
    call.optionalFloat('x', undefined, ['D']);
  });

  it('treats asking for what was not checked as a mistake of the check', () => {
    expect(() => new CallCheck('op').size('D')).toThrow(RangeError);
    expect(() => new CallCheck('op').dtype).toThrow(RangeError);
  });
});
