import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { smallTokenizer } from '../../test/small-tokenizer.js';
import { ByteTokenizer } from './bytes.js';
import { Detokenizer } from './detokenizer.js';
import { loadTokenizer } from './load.js';
import type { Tokenizer } from './tokenizer.js';

function stream(tokenizer: Tokenizer, ids: readonly number[], prompt: readonly number[] = []): string[] {
  const detokenizer = new Detokenizer(tokenizer, prompt);
  return [...ids.map((id) => detokenizer.push(id)), detokenizer.flush()];
}

const loneSurrogate = /\p{Surrogate}/u;

describe('ByteTokenizer', () => {
  const bytes = new ByteTokenizer();

  it('is UTF-8', () => {
    expect(bytes.encode('aé€😀')).toEqual([97, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80]);
    expect(bytes.vocabSize).toBe(256);
    expect(bytes.eosTokenIds).toEqual([]);
    expect(bytes.files().size).toBe(0);
  });

  it('gives back every text, a byte order mark too', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(bytes.decode(bytes.encode(text))).toBe(text);
      }),
    );
    expect(bytes.decode(bytes.encode('\ufeffx'))).toBe('\ufeffx');
  });

  it('has special ids from 256 on, without text', () => {
    const special = new ByteTokenizer({ eos: 256 });
    expect(special.vocabSize).toBe(257);
    expect(special.eosTokenIds).toEqual([256]);
    expect(special.decode([104, 256, 105])).toBe('hi');
    expect(() => new ByteTokenizer({ eos: 10 })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
  });
});

describe('loadTokenizer', () => {
  it('reads a tokenizer.json: merges, bytes, special tokens', async () => {
    const tokenizer = await loadTokenizer(smallTokenizer());
    // 'the' is one merge of 't' + 'he'; the emoji falls apart into four bytes.
    expect(tokenizer.encode('the')).toHaveLength(1);
    expect(tokenizer.encode('😀')).toHaveLength(4);
    expect(tokenizer.vocabSize).toBe(261);
    expect(tokenizer.eosTokenIds).toEqual([260]);
    expect(tokenizer.encode('<|end|>')).toEqual([260]);
    expect(tokenizer.decode([...tokenizer.encode('the cat é😀'), 260])).toBe('the cat é😀');
    expect(tokenizer.decode([])).toBe('');
    expect([...tokenizer.files().keys()]).toEqual(['tokenizer.json', 'tokenizer_config.json']);
  });

  it('does without tokenizer_config.json', async () => {
    const tokenizer = await loadTokenizer({ 'tokenizer.json': smallTokenizer()['tokenizer.json']! });
    expect(tokenizer.eosTokenIds).toEqual([]);
  });

  it.each([
    ['no JSON', '{'],
    ['no object', '[]'],
    ['no model', '{}'],
  ])('refuses a file with %s', async (_, text) => {
    await expect(loadTokenizer({ 'tokenizer.json': text })).rejects.toMatchObject({
      code: 'CHECKPOINT_FORMAT',
    });
  });

  it('says that the file is missing', async () => {
    await expect(loadTokenizer({ 'config.json': '{}' })).rejects.toMatchObject({ code: 'IO' });
  });
});

describe('Detokenizer', async () => {
  const tokenizers: [string, Tokenizer][] = [
    ['bytes', new ByteTokenizer()],
    ['byte-level BPE', await loadTokenizer(smallTokenizer())],
  ];

  it.each(tokenizers)('gives the text whole and no piece with half a character (%s)', (_, tokenizer) => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 40 }),
        fc.string({ maxLength: 20 }),
        (text, prompt) => {
          const pieces = stream(tokenizer, tokenizer.encode(text), tokenizer.encode(prompt));
          expect(pieces.join('')).toBe(text);
          for (const piece of pieces) {
            expect(piece).not.toMatch(loneSurrogate);
            if (!text.includes('\ufffd')) expect(piece).not.toContain('\ufffd');
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it.each(tokenizers)('shows a character when its last byte comes (%s)', (_, tokenizer) => {
    expect(stream(tokenizer, tokenizer.encode('😀'))).toEqual(['', '', '', '😀', '']);
  });

  it('shows bytes that are not UTF-8 as the whole text would', () => {
    const bytes = new ByteTokenizer();
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 60 }), (ids) => {
        expect(stream(bytes, ids).join('')).toBe(bytes.decode(ids));
      }),
      { numRuns: 200 },
    );
  });

  it('ends a character that the prompt began', () => {
    const bytes = new ByteTokenizer();
    expect(stream(bytes, [0x98, 0x80], [97, 0xf0, 0x9f]).join('')).toBe('😀');
  });
});
