import { describe, expect, it } from 'vitest';
import type { MambaConfigInput } from './config.js';
import { resolveConfig } from './resolve.js';

describe('resolveConfig', () => {
  it('fills in the official defaults', () => {
    expect(resolveConfig({ dModel: 40, nLayer: 2, vocabSize: 50 })).toMatchObject({
      paddedVocabSize: 56,
      dInner: 80,
      dtRank: 3,
      dState: 16,
      dConv: 4,
      mixer: 's6',
      complexA: false,
    });
  });

  it('takes a resolved config again', () => {
    const config = resolveConfig({ dModel: 40, nLayer: 2, mixer: 's4d', tokenizer: 'bytes' });
    expect(resolveConfig(config)).toEqual(config);
  });

  it('knows the vocabulary of bytes, and what s4d is', () => {
    const config = resolveConfig({ dModel: 8, nLayer: 1, tokenizer: 'bytes', mixer: 's4d' });
    expect(config.vocabSize).toBe(256);
    expect(config.selective).toEqual({ delta: false, B: false, C: false });
    expect(config.complexA).toBe(true);
  });

  it.each<[Partial<Record<keyof MambaConfigInput, unknown>> | null | string, RegExp]>([
    [null, /config must be an object/],
    ['x', /config must be an object/],
    [{ dModel: 8, nLayer: 1 }, /config\.vocabSize is missing/],
    [{ nLayer: 1, vocabSize: 8 }, /config\.dModel is missing/],
    [{ dModel: 8, nLayer: 0, vocabSize: 8 }, /config\.nLayer/],
    [{ dModel: 8, nLayer: 1, vocabSize: 8, paddedVocabSize: 9 }, /config\.paddedVocabSize must be 8/],
    [{ dModel: 8, nLayer: 1, vocabSize: 8, dConv: 1 }, /config\.dConv/],
    [{ dModel: 8, nLayer: 1, vocabSize: 8, mixer: 'lstm' }, /config\.mixer must be s6 or s4d/],
    [{ dModel: 8, nLayer: 1, vocabSize: 8, normEps: 0 }, /config\.normEps/],
    [{ dModel: 8, nLayer: 1, vocabSize: 8, dtMin: -1 }, /config\.dtMin/],
    [{ dModel: 8, nLayer: 1, vocabSize: 8, selective: 1 }, /config\.selective/],
  ])('refuses %j, naming the field', (input, message) => {
    const run = () => resolveConfig(input as unknown as MambaConfigInput);
    expect(run).toThrow(message);
    expect(run).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });
});
