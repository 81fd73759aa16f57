import { describe, expect, it } from 'vitest';
import { fake } from '../../test/fake.js';
import { expectRefusal } from '../../test/refusal.js';
import { checkSample } from './sample.js';

const logits = fake([2, 16]);
const uniform = fake([2]);

describe('sample', () => {
  it('fills in what was not said, and keeps all where topK is the vocabulary', () => {
    const dims = { dtype: 'f32', rows: 2, columns: 16, vocabulary: 16, topK: 0, topP: 1, minP: 0 };
    expect(checkSample({ logits, temperature: 0 })).toEqual(dims);
    expect(checkSample({ logits, uniform, temperature: 1, topK: 16 })).toEqual(dims);
    const all = { logits, uniform, temperature: 0.5, topK: 9, topP: 0.9, minP: 0.1, vocabulary: 10 };
    expect(checkSample(all)).toEqual({ ...dims, vocabulary: 10, topK: 9, topP: 0.9, minP: 0.1 });
    expect(checkSample({ ...all, topK: 10 })).toMatchObject({ topK: 0 });
  });

  it('refuses what does not fit', () => {
    const refuse = (change: object, code: 'SHAPE' | 'DTYPE' | 'INVALID_ARGUMENT', text: string) =>
      expectRefusal(() => checkSample({ logits, uniform, temperature: 1, ...change }), code, text);
    refuse({ logits: fake([16]) }, 'SHAPE', 'sample: logits has shape [16]');
    refuse({ uniform: fake([3]) }, 'SHAPE', 'expected [B] = [2]');
    refuse({ logits: fake([2, 16], 'i32') }, 'DTYPE', 'sample: logits is i32');
    refuse({ uniform: undefined }, 'INVALID_ARGUMENT', 'uniform must be a tensor');
    for (const temperature of [-1, Number.NaN, Number.POSITIVE_INFINITY])
      refuse({ temperature }, 'INVALID_ARGUMENT', 'temperature must be 0 or more');
    for (const topK of [-1, 1.5]) refuse({ topK }, 'INVALID_ARGUMENT', 'topK');
    for (const topP of [0, 1.1]) refuse({ topP }, 'INVALID_ARGUMENT', 'topP');
    for (const minP of [-0.1, 2]) refuse({ minP }, 'INVALID_ARGUMENT', 'minP');
    for (const vocabulary of [0, 17, 1.5]) refuse({ vocabulary }, 'INVALID_ARGUMENT', 'vocabulary');
  });
});
