import { describe, it } from 'vitest';
import { expectRefusal } from '../../test/refusal.js';
import type { DType, Tensor } from '../tensor.js';
import { checkUpload, checkWrite, checkZeros } from './upload.js';

describe('checkUpload and checkZeros', () => {
  const offered = ['f32', 'f16', 'int8', 'i32'] as const;

  it('take what fits', () => {
    checkUpload([1, 2, 3, 4, 5, 6], [2, 3], 'f32', offered);
    checkUpload([], [2, 0, 3], 'f32', offered);
    checkUpload([1.5], [], 'f16', offered);
    checkUpload([-(2 ** 31), 2 ** 31 - 1], [2], 'i32', offered);
    checkZeros([2, 3], 'int8', offered);
  });

  it('refuse what does not', () => {
    expectRefusal(
      () => checkUpload([1, 2], [3], 'f32', offered),
      'SHAPE',
      '2 values given, expected 3',
      '[3]',
    );
    expectRefusal(() => checkZeros([-1], 'f32', offered), 'SHAPE', 'zeros: shape [-1]');
    expectRefusal(() => checkZeros([2 ** 30, 2 ** 30], 'f32', offered), 'SHAPE', 'zeros');
    expectRefusal(() => checkUpload([1], [1], 'f64', offered), 'DTYPE', 'no type f64', 'f32, f16, int8, i32');
    expectRefusal(() => checkZeros([], 'int8', offered), 'SHAPE', 'int8');
    for (const bad of [1.5, 2 ** 31, Number.NaN])
      expectRefusal(() => checkUpload([0, bad], [2], 'i32', offered), 'INVALID_ARGUMENT', `${bad} given`);
  });
});

describe('checkWrite', () => {
  const tensor = (dtype: DType, shape: number[]) => ({ dtype, shape }) as unknown as Tensor;

  it('takes tensors of one type and as many elements', () => {
    checkWrite(tensor('f32', [2, 3]), tensor('f32', [6]));
    checkWrite(tensor('i32', [1]), tensor('i32', []));
  });

  it('refuses others, and types that only store weights', () => {
    const f32 = tensor('f32', [2]);
    expectRefusal(() => checkWrite(f32, tensor('f32', [3])), 'SHAPE', '[3]', '[2]');
    expectRefusal(() => checkWrite(f32, tensor('i32', [2])), 'DTYPE', 'i32', 'f32');
    expectRefusal(() => checkWrite(tensor('f16', [2]), tensor('f16', [2])), 'DTYPE', 'f16');
  });
});
