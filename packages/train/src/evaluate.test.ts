import type { Backend } from '@mamba-ts/backend';
import { createCpuBackend } from '@mamba-ts/cpu';
import { MambaLM } from '@mamba-ts/model';
import { Random } from '@mamba-ts/ssm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Bigram } from '../test/bigram.js';
import { evaluateBatches } from './evaluate.js';
import { evaluateText } from './evaluate-text.js';
import { inductionHeads } from './tasks/induction-heads.js';
import { syntheticTask } from './tasks/synthetic.js';
import { type Batch, IGNORE } from './tasks/task.js';
import type { Trainable } from './trainable.js';

let backend: Backend;
beforeEach(async () => {
  backend = await createCpuBackend();
});
afterEach(() => backend.dispose());

const code = (code: string) => expect.objectContaining({ code });
const small = (mixer: 's6' | 's4d' = 's6', vocabSize = 11) =>
  MambaLM.create(
    { dModel: 8, nLayer: 2, dState: 4, vocabSize, padVocabSizeMultiple: 1, mixer },
    { backend, seed: 3, dtype: 'f64' },
  );

/** Loss and accuracy by the definition: the whole sequence at once, softmax by hand. */
async function naive(model: Trainable, { ids, targets }: Batch) {
  const { logits } = model.forward(ids);
  const data = await logits.data();
  logits.dispose();
  const V = data.length / ids.flat().length;
  const nats: number[] = [];
  const right = targets.map((row, r) =>
    row.flatMap((target, t) => {
      if (target === IGNORE) return [];
      const at = Array.from(data.subarray((r * row.length + t) * V, (r * row.length + t + 1) * V));
      nats.push(Math.log(at.reduce((sum, x) => sum + Math.exp(x), 0)) - at[target]!);
      return [at.indexOf(Math.max(...at)) === target];
    }),
  );
  const mean = (x: number[]) => x.reduce((a, b) => a + b, 0) / x.length;
  return {
    loss: mean(nats),
    tokenAccuracy: mean(right.flat().map(Number)),
    sequenceAccuracy: mean(right.map((row) => Number(row.every(Boolean)))),
    tokens: nats.length,
    sequences: ids.length,
  };
}

function randomBatch(seed: number, rows: number, length: number, vocabSize: number): Batch {
  const random = new Random(seed);
  const draw = (make: (t: number) => number) =>
    Array.from({ length: rows }, () => Array.from({ length }, (_, t) => make(t)));
  return {
    ids: draw(() => random.int(vocabSize)),
    targets: draw((t) => (t < 5 || random.int(3) ? IGNORE : random.int(vocabSize))),
  };
}

describe('evaluateBatches', () => {
  it('gives what the definition gives, in chunks of any size', async () => {
    for (const mixer of ['s6', 's4d'] as const) {
      const lm = await small(mixer);
      const batch = randomBatch(1, 3, 23, 11);
      const expected = await naive(lm, batch);
      const before = backend.memory();
      for (const chunkSize of [1, 4, 18, 1000]) {
        const { loss, ...rest } = await evaluateBatches(lm, [batch], { chunkSize });
        expect(loss).toBeCloseTo(expected.loss, 11);
        expect(rest).toEqual({ ...expected, loss: undefined, ...rest });
        expect(rest.tokenAccuracy).toBe(expected.tokenAccuracy);
      }
      expect(backend.memory()).toEqual(before);
      lm.dispose();
    }
  });

  it('takes a model without a state', async () => {
    const model = new Bigram(backend, 11, 4);
    const batch = randomBatch(2, 2, 9, 11);
    const expected = await naive(model, batch);
    const before = backend.memory();
    const result = await evaluateBatches(model, [batch]);
    expect(result.loss).toBeCloseTo(expected.loss, 12);
    expect(result).toEqual({ ...expected, loss: result.loss });
    expect(backend.memory()).toEqual(before);
  });

  it('weighs every counted token the same over batches', async () => {
    const model = new Bigram(backend, 11, 4);
    const [a, b] = [randomBatch(3, 2, 9, 11), randomBatch(4, 5, 30, 11)];
    const [left, right, both] = [
      await naive(model, a),
      await naive(model, b),
      await evaluateBatches(model, [a, b]),
    ];
    expect(both.tokens).toBe(left.tokens + right.tokens);
    expect(both.sequences).toBe(7);
    expect(both.loss).toBeCloseTo((left.loss * left.tokens + right.loss * right.tokens) / both.tokens, 12);
    expect(both.sequenceAccuracy).toBeCloseTo(
      (2 * left.sequenceAccuracy + 5 * right.sequenceAccuracy) / 7,
      12,
    );
  });

  it('needs no more memory for a longer sequence', async () => {
    const lm = await small('s6', 17);
    const peak = async (evalLength: number) => {
      const task = syntheticTask(inductionHeads(), { length: 3, batch: 1, evalLength, evalSequences: 1 });
      let most = 0;
      const watched: Trainable = {
        backend,
        noDecay: lm.noDecay,
        parameters: () => lm.parameters(),
        createState: (batch) => lm.createState(batch),
        prefill: (ids, state, options) => lm.prefill(ids, state as never, options),
        forward: (ids, options) => {
          const result = lm.forward(ids, options as object);
          most = Math.max(most, backend.memory().bytes);
          return result;
        },
      };
      await task.evaluate(watched, { chunkSize: 32 });
      return most;
    };
    expect(await peak(2048)).toBe(await peak(128));
  });

  it('stops when aborted', async () => {
    const lm = await small();
    const controller = new AbortController();
    const before = backend.memory();
    setTimeout(() => controller.abort(), 5);
    const endless = function* () {
      for (let seed = 0; ; seed++) yield randomBatch(seed, 1, 64, 11);
    };
    await expect(evaluateBatches(lm, endless(), { signal: controller.signal, chunkSize: 8 })).rejects.toEqual(
      code('ABORTED'),
    );
    expect(backend.memory()).toEqual(before);

    const stateless: Trainable = {
      backend,
      noDecay: lm.noDecay,
      parameters: () => lm.parameters(),
      forward: (ids) => lm.forward(ids),
    };
    const another = new AbortController();
    setTimeout(() => another.abort(), 5);
    await expect(evaluateBatches(stateless, endless(), { signal: another.signal })).rejects.toEqual(
      code('ABORTED'),
    );
  });
});

describe('evaluateText', () => {
  const bytesModel = () =>
    MambaLM.create(
      { dModel: 8, nLayer: 1, dState: 4, tokenizer: 'bytes' },
      { backend, seed: 1, dtype: 'f64' },
    );

  it('predicts every byte but the first from all before it', async () => {
    const lm = await bytesModel();
    const text = 'Né à Paris.\n';
    const bytes = new TextEncoder().encode(text);
    const ids = Array.from(bytes);
    const expected = await naive(lm, { ids: [ids.slice(0, -1)], targets: [ids.slice(1)] });
    for (const chunkSize of [3, 512]) {
      const result = await evaluateText(lm, text, { chunkSize });
      expect(result).toMatchObject({ tokens: 13, bytes: 14 });
      expect(result.natsPerToken).toBeCloseTo(expected.loss, 11);
      expect(result.natsPerByte).toBeCloseTo((expected.loss * 13) / 14, 11);
      expect(result.bitsPerByte).toBeCloseTo((expected.loss * 13) / 14 / Math.log(2), 11);
      expect(result.perplexity).toBeCloseTo(Math.exp(expected.loss), 8);
    }
    expect(await evaluateText(lm, bytes)).toEqual(await evaluateText(lm, text));
    expect((await evaluateText(lm, Uint8Array.of(0xff, 0xfe, 0x41))).tokens).toBe(2);
  });

  it('counts the bytes of a text that another tokenizer cuts', async () => {
    const words = ['a', 'é', ' '];
    const lm = await MambaLM.create(
      { dModel: 8, nLayer: 1, dState: 4, vocabSize: 3 },
      {
        backend,
        seed: 1,
        tokenizer: {
          vocabSize: 3,
          eosTokenIds: [],
          encode: (text) => [...text].map((char) => words.indexOf(char)),
          decode: (ids) => ids.map((id) => words[id]).join(''),
          files: () => new Map(),
        },
      },
    );
    const result = await evaluateText(lm, new TextEncoder().encode('aé é'));
    expect(result).toMatchObject({ tokens: 3, bytes: 6 });
    expect(result.natsPerByte * 6).toBeCloseTo(result.natsPerToken * 3, 12);
  });

  it('refuses a model without tokenizer, a text without anything to predict, and stops when aborted', async () => {
    await expect(evaluateText(await small(), 'abc')).rejects.toThrow(/no tokenizer/);
    const lm = await bytesModel();
    for (const text of ['', 'a']) {
      await expect(evaluateText(lm, text)).rejects.toEqual(code('INVALID_ARGUMENT'));
    }
    await expect(evaluateText(lm, 'abc', { signal: AbortSignal.abort() })).rejects.toEqual(code('ABORTED'));
  });
});
