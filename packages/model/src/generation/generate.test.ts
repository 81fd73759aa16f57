import type { Backend } from '@mamba-ts/backend';
import { createCpuBackend } from '@mamba-ts/cpu';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { someIds, take } from '../../test/compare.js';
import { smallTokenizer } from '../../test/small-tokenizer.js';
import { MambaLM } from '../lm.js';
import { loadTokenizer } from '../tokenizers/load.js';
import type { Tokenizer } from '../tokenizers/tokenizer.js';
import type { Generated } from './generate.js';
import type { GenerateOptions } from './options.js';

let backend: Backend;
beforeEach(async () => {
  backend = await createCpuBackend();
});
afterEach(() => backend.dispose());

const bytes = { dModel: 12, nLayer: 2, tokenizer: 'bytes', dState: 4 } as const;
/** A model without a tokenizer, of few tokens, so that EOS comes soon. */
const few = { dModel: 12, nLayer: 2, vocabSize: 6, dState: 4 } as const;

async function collect(items: AsyncIterable<Generated>): Promise<Generated[]> {
  const all: Generated[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** What generation must give: the whole sequence through `forward` for each token, the definition of sampling. */
async function greedyByForward(lm: MambaLM, prompt: number[], count: number): Promise<number[]> {
  const ids = [...prompt];
  const width = lm.config.paddedVocabSize;
  for (let i = 0; i < count; i++) {
    const last = (await take(lm.forward(ids).logits)).slice(-width).slice(0, lm.config.vocabSize);
    ids.push(last.indexOf(Math.max(...last)));
  }
  return ids.slice(prompt.length);
}

describe('generate', () => {
  it('greedy: the most probable token after every prefix, with its log-probability', async () => {
    const lm = await MambaLM.create(few, { backend, seed: 1 });
    const prompt = someIds(5, 6);
    const items = await collect(lm.generate(prompt, { temperature: 0, maxTokens: 12 }));
    expect(items.map(({ token }) => token)).toEqual(await greedyByForward(lm, prompt, 12));
    const first = (await take(lm.forward(prompt).logits)).slice(-8).slice(0, 6);
    const total = first.reduce((sum, x) => sum + Math.exp(x), 0);
    expect(items[0]!.logprob).toBeCloseTo(Math.log(Math.exp(Math.max(...first)) / total), 5);
    expect(items[0]!).not.toHaveProperty('row');
    expect(items.map(({ finishReason }) => finishReason)).toEqual([...Array(11).fill(undefined), 'length']);
  });

  it('is reproducible by its seed', async () => {
    const lm = await MambaLM.create(bytes, { backend });
    const text = async (seed?: number) => (await lm.complete('abc', { maxTokens: 20, seed })).tokens;
    expect(await text(5)).toEqual(await text(5));
    expect(await text()).toEqual(await text(0));
    expect(await text(5)).not.toEqual(await text(6));
  });

  it('streams text that is whole characters, the same as decoding all tokens', async () => {
    const lm = await MambaLM.create(bytes, { backend, seed: 2 });
    const items = await collect(lm.generate('né', { maxTokens: 200, seed: 3 }));
    const text = items.map((item) => item.text).join('');
    expect(text).toBe(lm.tokenizer!.decode(items.map(({ token }) => token)));
  });

  it('works with a tokenizer.json, and never samples ids that it does not have', async () => {
    const tokenizer = await loadTokenizer(smallTokenizer());
    const lm = await MambaLM.create(
      { ...bytes, tokenizer: undefined, vocabSize: 400 },
      { backend, tokenizer },
    );
    const { tokens, text } = await lm.complete('the cat', { maxTokens: 150, eos: null, temperature: 2 });
    expect(Math.max(...tokens)).toBeLessThan(261);
    expect(tokenizer.decode(tokens)).toBe(text);
  });

  it('never samples padding', async () => {
    const lm = await MambaLM.create({ ...few, vocabSize: 5, padVocabSizeMultiple: 64 }, { backend });
    const { tokens } = await lm.complete([1], { maxTokens: 200, temperature: 50 });
    expect(new Set(tokens)).toEqual(new Set([0, 1, 2, 3, 4]));
  });

  it('has a text for an empty prompt only where there is a BOS token', async () => {
    const lm = await MambaLM.create({ ...few, bosTokenId: 3 }, { backend });
    const options = { maxTokens: 5, temperature: 0 };
    expect((await lm.complete([], options)).tokens).toEqual((await lm.complete([3], options)).tokens);
    const without = await MambaLM.create(few, { backend });
    await expect(without.complete([], options)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('tells the tokenizer whether a text begins', async () => {
    const asked: (boolean | undefined)[] = [];
    const tokenizer: Tokenizer = {
      vocabSize: 6,
      eosTokenIds: [],
      encode: (text, options) => {
        asked.push(options?.special);
        return [text.length];
      },
      decode: () => '',
      files: () => new Map(),
    };
    const lm = await MambaLM.create(few, { backend, tokenizer });
    const state = lm.createState();
    await lm.complete('ab', { maxTokens: 1, state });
    await lm.complete('ab', { maxTokens: 1, state });
    expect(asked).toEqual([true, false]);
    state.dispose();
  });
});

describe('the end of a row', () => {
  it('is an EOS token: of the config, the tokenizer, or the options', async () => {
    const lm = await MambaLM.create({ ...few, eosTokenIds: [2] }, { backend, seed: 4 });
    const options = { maxTokens: 60, seed: 2 };
    const free = await lm.complete([1], { ...options, eos: null });
    expect(free.tokens).toHaveLength(60);
    const upTo = (...ids: number[]) =>
      free.tokens.slice(0, free.tokens.findIndex((id) => ids.includes(id)) + 1);
    const ended = await lm.complete([1], options);
    expect(ended).toMatchObject({ tokens: upTo(2), finishReason: 'eos' });
    expect(ended.tokens.length).toBeGreaterThan(1);
    expect((await lm.complete([1], { ...options, eos: [3, 5] })).tokens).toEqual(upTo(3, 5));
    expect((await lm.complete([1], { ...options, eos: 4 })).tokens).toEqual(upTo(4));
    const tokenizer: Tokenizer = {
      ...{ vocabSize: 6, eosTokenIds: [4], encode: () => [], decode: () => '', files: () => new Map() },
    };
    const other = await MambaLM.create({ ...few, eosTokenIds: [2] }, { backend, seed: 4, tokenizer });
    expect((await other.complete([1], options)).tokens).toEqual(upTo(2, 4));
  });

  it('shows no text of an EOS token, but what was held back before it', async () => {
    const lm = await MambaLM.create(bytes, { backend, seed: 5 });
    const free = await lm.complete('x', { maxTokens: 40, eos: null, seed: 9 });
    const eos = free.tokens[20]!;
    const end = free.tokens.indexOf(eos);
    const { text, tokens } = await lm.complete('x', { maxTokens: 40, eos, seed: 9, stop: ['no such text'] });
    expect(tokens).toEqual(free.tokens.slice(0, end + 1));
    expect(text).toBe(lm.tokenizer!.decode(free.tokens.slice(0, end)));
  });

  it('may be a special token of a byte model', async () => {
    const input = { ...bytes, vocabSize: 258, eosTokenIds: [257] };
    const lm = await MambaLM.create(input, { backend, seed: 5 });
    const { tokens, finishReason } = await lm.complete('x', { maxTokens: 10_000, temperature: 5 });
    expect([tokens.at(-1), finishReason]).toEqual([257, 'eos']);
  });

  it('is a stop text, which is not shown though it comes in several tokens', async () => {
    const lm = await MambaLM.create(bytes, { backend, seed: 6 });
    const options = { maxTokens: 60, seed: 11 };
    const free = await collect(lm.generate('x', options));
    const text = free.map((item) => item.text).join('');
    const stop = text.slice(20, 24);
    const at = text.indexOf(stop);
    const items = await collect(lm.generate('x', { ...options, stop: ['never said', stop] }));
    expect(items.map((item) => item.text).join('')).toBe(text.slice(0, at));
    expect(items.at(-1)!.finishReason).toBe('stop');
    expect(items.length).toBeLessThan(free.length);
    const single = await lm.complete('x', { ...options, stop });
    expect(single).toMatchObject({ text: text.slice(0, at), finishReason: 'stop' });
  });
});

describe('several prompts', () => {
  const prompts = [someIds(3, 6), someIds(9, 6, 1), someIds(1, 6, 2), someIds(9, 6, 4)];

  it.each<[string, GenerateOptions]>([
    ['greedy', { temperature: 0, maxTokens: 15 }],
    ['sampled', { seed: 20, maxTokens: 15, repetitionPenalty: 1.2, topK: 4 }],
    ['ending at different tokens', { seed: 21, maxTokens: 25, eos: 2 }],
    ['in chunks', { temperature: 0, maxTokens: 5, chunkSize: 2 }],
  ])('of unequal lengths: each row is what it is alone, %s', async (_, options) => {
    const lm = await MambaLM.create(few, { backend, seed: 7 });
    const before = backend.memory();
    const batch = await lm.complete(prompts, options);
    expect(backend.memory()).toEqual(before);
    for (const [r, prompt] of prompts.entries()) {
      const alone = await lm.complete(prompt, { ...options, seed: (options.seed ?? 0) + r });
      expect(batch[r]!.tokens).toEqual(alone.tokens);
      expect(batch[r]!.finishReason).toBe(alone.finishReason);
      batch[r]!.logprobs.forEach((logprob, i) => {
        expect(logprob).toBeCloseTo(alone.logprobs[i]!, 5);
      });
    }
    if (options.eos === 2) expect(new Set(batch.map(({ tokens }) => tokens.length)).size).toBeGreaterThan(1);
  });

  it('give items row by row, each with its text', async () => {
    const lm = await MambaLM.create(bytes, { backend });
    const items = await collect(lm.generate(['a', 'bcd'], { maxTokens: 3 }));
    expect(items.map(({ row }) => row)).toEqual([0, 1, 0, 1, 0, 1]);
    const texts = await lm.complete(['a', 'bcd'], { maxTokens: 3 });
    expect(texts[1]!.text).toBe(
      items
        .filter(({ row }) => row === 1)
        .map(({ text }) => text)
        .join(''),
    );
    expect(await lm.complete(['a'], { maxTokens: 3 })).toHaveLength(1);
  });

  it('move the rows of a given state, each by what it read and said', async () => {
    const lm = await MambaLM.create(few, { backend, seed: 7 });
    const options = { seed: 21, maxTokens: 25, eos: 2 };
    const state = lm.createState(4);
    lm.step([0, 1, 2, 3], state).logits.dispose();
    const before = backend.memory();
    const batch = await lm.complete(prompts, { ...options, state });
    expect(backend.memory()).toEqual(before);
    const read = prompts.map((prompt, r) => [r, ...prompt, ...batch[r]!.tokens]);
    expect(state.position).toBe(Math.max(...read.map(({ length }) => length)));
    const next = await take(lm.step([0, 0, 0, 0], state).logits);
    for (const [r, ids] of read.entries()) {
      const want = (await take(lm.forward([...ids, 0]).logits)).slice(-8);
      next.slice(8 * r, 8 * r + 8).forEach((logit, i) => {
        expect(logit).toBeCloseTo(want[i]!, 5);
      });
    }
  });
});

describe('a given state', () => {
  it('has read the prompt and everything generated, so that texts can be continued', async () => {
    const lm = await MambaLM.create(few, { backend, seed: 8 });
    const options = { temperature: 0, maxTokens: 6 };
    const state = lm.createState();
    const first = await lm.complete([1, 2, 3], { ...options, state });
    expect(state.position).toBe(9);
    const second = await lm.complete([4, 5], { ...options, state });
    expect(state.position).toBe(17);
    const all = [1, 2, 3, ...first.tokens, 4, 5];
    expect(second.tokens).toEqual(await greedyByForward(lm, all, 6));
  });

  it('stands after the last token that was given out when the loop is left', async () => {
    const lm = await MambaLM.create(few, { backend, seed: 8 });
    const state = lm.createState();
    const said: number[] = [];
    for await (const { token } of lm.generate([1, 2], { state, maxTokens: 50 })) {
      said.push(token);
      if (said.length === 4) break;
    }
    expect(state.position).toBe(6);
    const got = await take(lm.step([0], state).logits);
    const want = (await take(lm.forward([1, 2, ...said, 0]).logits)).slice(-8);
    got.forEach((logit, i) => {
      expect(logit).toBeCloseTo(want[i]!, 5);
    });
  });

  it('is not for others meanwhile, and free afterwards', async () => {
    const lm = await MambaLM.create(few, { backend });
    const state = lm.createState();
    for await (const _ of lm.generate([1], { state, maxTokens: 2 })) {
      expect(() => lm.step([1], state)).toThrow(/in use by generate/);
    }
    lm.step([1], state).logits.dispose();
  });

  it('must have a row for each prompt, and be of this model', async () => {
    const lm = await MambaLM.create(few, { backend });
    const other = await MambaLM.create(few, { backend });
    const wrong = { code: 'INVALID_ARGUMENT' };
    await expect(lm.complete([1], { state: lm.createState(2) })).rejects.toMatchObject(wrong);
    await expect(lm.complete([1], { state: other.createState() })).rejects.toMatchObject(wrong);
    const disposed = lm.createState();
    disposed.dispose();
    await expect(lm.complete([1], { state: disposed })).rejects.toMatchObject({ code: 'DISPOSED' });
  });
});

describe('stopping early', () => {
  it('frees everything when the loop is left, throws, or was never begun', async () => {
    const lm = await MambaLM.create(few, { backend });
    const before = backend.memory();
    const prompts = [[1], [1, 2, 3]];
    for await (const _ of lm.generate(prompts, { maxTokens: 50 })) break;
    expect(backend.memory()).toEqual(before);
    const throwing = async () => {
      for await (const _ of lm.generate([1, 2], { maxTokens: 50 })) throw new Error('mine');
    };
    await expect(throwing()).rejects.toThrow('mine');
    lm.generate([1, 2]);
    expect(backend.memory()).toEqual(before);
  });

  it('is ABORTED within a token, and the state says where', async () => {
    const lm = await MambaLM.create(few, { backend });
    const state = lm.createState();
    const before = backend.memory();
    const controller = new AbortController();
    let count = 0;
    const loop = async () => {
      for await (const _ of lm.generate([1, 2], { maxTokens: 1000, signal: controller.signal, state })) {
        if (++count === 3) controller.abort(new Error('enough'));
      }
    };
    await expect(loop()).rejects.toMatchObject({ code: 'ABORTED', cause: new Error('enough') });
    expect(count).toBe(3);
    expect(state.position).toBe(5);
    expect(backend.memory()).toEqual(before);
  });

  it('is ABORTED by a timer, though the backend computes without pause', async () => {
    const lm = await MambaLM.create(few, { backend });
    const signal = AbortSignal.timeout(20);
    await expect(lm.complete([1], { maxTokens: 1e9, signal })).rejects.toMatchObject({ code: 'ABORTED' });
  });

  it('is ABORTED inside a prompt, of one row or several', async () => {
    const lm = await MambaLM.create(few, { backend });
    for (const prompts of [[someIds(4000, 6)], [someIds(4000, 6), [1, 2]]]) {
      const state = lm.createState(prompts.length);
      const before = backend.memory();
      const controller = new AbortController();
      setImmediate(() => controller.abort());
      const options = { chunkSize: 20, signal: controller.signal, state };
      await expect(lm.complete(prompts, options)).rejects.toMatchObject({ code: 'ABORTED' });
      expect(state.position).toBeGreaterThan(0);
      expect(state.position).toBeLessThan(4000);
      expect(backend.memory()).toEqual(before);
      lm.step(Array(prompts.length).fill(0), state).logits.dispose();
    }
    await expect(lm.complete([1], { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'ABORTED',
    });
  });

  it('ends with DISPOSED when the model goes away', async () => {
    const lm = await MambaLM.create(few, { backend });
    const loop = async () => {
      for await (const _ of lm.generate([1], { maxTokens: 50 })) lm.dispose();
    };
    await expect(loop()).rejects.toMatchObject({ code: 'DISPOSED' });
    expect(backend.memory().tensors).toBe(0);
  });
});

describe('invalid options', () => {
  it.each<[string, GenerateOptions]>([
    ['maxTokens', { maxTokens: 0 }],
    ['maxTokens', { maxTokens: 1.5 }],
    ['temperature', { temperature: -1 }],
    ['topP', { topP: 2 }],
    ['stop', { stop: '' }],
    ['stop', { stop: [1] as unknown as string[] }],
    ['stop', { stop: 'x' }],
    ['eos', { eos: -1 }],
    ['eos', { eos: ['x'] as unknown as number[] }],
    ['chunkSize', { chunkSize: 0 }],
  ])('%s: %j', async (name, options) => {
    const lm = await MambaLM.create(few, { backend });
    const before = backend.memory();
    const running = lm.complete([1], options);
    await expect(running).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(running).rejects.toThrow(name);
    expect(backend.memory()).toEqual(before);
  });

  it('prompts that are text without a tokenizer, or no ids of the vocabulary', async () => {
    const lm = await MambaLM.create(few, { backend });
    const refused = { code: 'INVALID_ARGUMENT' };
    await expect(lm.complete('abc')).rejects.toMatchObject(refused);
    await expect(lm.complete([99])).rejects.toMatchObject(refused);
    await expect(lm.complete([[1], [-1]])).rejects.toMatchObject(refused);
    await expect(lm.complete([1.5])).rejects.toMatchObject(refused);
  });
});
