import { describe, expect, it } from 'vitest';
import { fake } from '../../test/fake.js';
import { expectRefusal } from '../../test/refusal.js';
import { checkCrossEntropy, checkCrossEntropyBackward } from './cross-entropy.js';

describe('crossEntropy', () => {
  const inputs = { logits: fake([2, 5, 11]), targets: fake([2, 5], 'i32') };

  it('gives rows and vocabulary', () => {
    expect(checkCrossEntropy(inputs)).toEqual({
      dtype: 'f32',
      rows: 10,
      vocab: 11,
      ignoreIndex: -100,
    });
    expect(checkCrossEntropyBackward({ ...inputs, ignoreIndex: 0 }, { dloss: fake([]) }).ignoreIndex).toBe(0);
  });

  it('refuses what does not fit', () => {
    const targets = fake([5, 2], 'i32');
    expectRefusal(() => checkCrossEntropy({ ...inputs, targets }), 'SHAPE', 'targets has shape [5, 2]');
    expectRefusal(() => checkCrossEntropy({ ...inputs, ignoreIndex: 0.5 }), 'INVALID_ARGUMENT', 'got 0.5');
    expectRefusal(() => checkCrossEntropyBackward(inputs, { dloss: fake([1]) }), 'SHAPE', 'dloss', '[]');
  });
});
