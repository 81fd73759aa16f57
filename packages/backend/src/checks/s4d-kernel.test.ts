import { describe, expect, it } from 'vitest';
import { fake, fakePair } from '../../test/fake.js';
import { expectRefusal } from '../../test/refusal.js';
import type { ComplexTensor } from '../tensor.js';
import { checkS4dKernel, checkS4dKernelBackward } from './s4d-kernel.js';

describe('s4dKernel', () => {
  const inputs = { dt: fake([6]), A: fakePair([6, 3]), C: fakePair([6, 3]), length: 9 };

  it('gives the sizes', () => {
    const want = { dtype: 'f32', channels: 6, stateSize: 3, length: 9 };
    expect(checkS4dKernel(inputs)).toEqual(want);
    expect(checkS4dKernelBackward(inputs, { dkernel: fake([6, 9]) })).toEqual(want);
  });

  it('refuses what does not fit', () => {
    const real = fake([6, 3]) as unknown as ComplexTensor;
    expectRefusal(() => checkS4dKernel({ ...inputs, A: real }), 'DTYPE', 's4dKernel: A must be complex');
    expectRefusal(() => checkS4dKernel({ ...inputs, C: fakePair([6, 4]) }), 'SHAPE', 'C.re');
    for (const length of [0, 1.5, Number.NaN])
      expectRefusal(() => checkS4dKernel({ ...inputs, length }), 'INVALID_ARGUMENT', `got ${length}`);
    const dkernel = fake([6, 8]);
    expectRefusal(() => checkS4dKernelBackward(inputs, { dkernel }), 'SHAPE', 'dkernel', '[D, 9] = [6, 9]');
  });
});
