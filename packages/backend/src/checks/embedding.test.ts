import { describe, expect, it } from 'vitest';
import { fake } from '../../test/fake.js';
import { expectRefusal } from '../../test/refusal.js';
import { checkEmbedding, checkEmbeddingBackward, checkId } from './embedding.js';

describe('embedding', () => {
  const ids = fake([2, 5], 'i32');

  it('gives the shape and type of the result', () => {
    expect(checkEmbedding({ ids, weight: fake([11, 4], 'int8') })).toEqual({
      dtype: 'f32',
      rows: 10,
      vocab: 11,
      channels: 4,
      shape: [2, 5, 4],
    });
    expect(checkEmbedding({ ids: fake([], 'i32'), weight: fake([11, 4], 'f64') })).toMatchObject({
      dtype: 'f64',
      rows: 1,
      shape: [4],
    });
  });

  it('refuses what does not fit', () => {
    const weight = fake([11, 4]);
    expectRefusal(() => checkEmbedding({ ids: fake([2]), weight }), 'DTYPE', 'embedding: ids is f32');
    expectRefusal(() => checkEmbedding({ ids, weight: fake([4]) }), 'SHAPE', 'weight has shape [4]');
    const dy = (shape: number[], dtype: 'f32' | 'f64' = 'f32') => ({ dy: fake(shape, dtype) });
    checkEmbeddingBackward({ ids, weight }, dy([2, 5, 4]));
    expectRefusal(() => checkEmbeddingBackward({ ids, weight }, dy([2, 4, 4])), 'SHAPE', 'Backward: dy');
    expectRefusal(() => checkEmbeddingBackward({ ids, weight }, dy([2, 5, 4], 'f64')), 'DTYPE', 'dy is f64');
    const half = { ids, weight: fake([11, 4], 'f16') };
    expectRefusal(() => checkEmbeddingBackward(half, dy([2, 5, 4], 'f64')), 'DTYPE', 'weight of type f16');
  });

  it('names an id that the vocabulary lacks', () => {
    checkId('embedding', 'ids', 10, 11);
    expectRefusal(() => checkId('embedding', 'ids', 11, 11), 'SHAPE', 'ids contain 11', '0 to 10');
    expectRefusal(() => checkId('embedding', 'ids', -1, 11), 'SHAPE', 'contain -1');
  });
});
