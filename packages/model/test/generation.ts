import type { Backend } from '@mamba-ts/backend';
import { createCpuBackend } from '@mamba-ts/cpu';
import { type GenerateOptions, MambaLM, type MambaState } from '@mamba-ts/model';
import { describe, expect, onTestFinished, test } from 'vitest';
import { relativeError } from './compare.js';

/* Generation on a backend that samples: for the tests of such backends. */

export const config = { dModel: 16, nLayer: 2, vocabSize: 24, dState: 8 };

/** The same model on a new backend and on the reference one. */
export async function pairOn<B extends Backend>(create: () => Promise<B>, seed = 1) {
  const backend = await create();
  const other = await createCpuBackend();
  onTestFinished(() => other.dispose());
  return {
    backend,
    lm: await MambaLM.create(config, { backend, seed }),
    cpu: await MambaLM.create(config, { backend: other, seed }),
  };
}

export async function step(lm: MambaLM, state: MambaState, token: number): Promise<number[]> {
  const { logits } = lm.step([token], state);
  const values = [...(await logits.data())];
  logits.dispose();
  return values;
}

/** What a state has read: the logits after one more token, beside those of the reference after all of it. */
export async function expectRead(lm: MambaLM, state: MambaState, cpu: MambaLM, read: readonly number[]) {
  expect(state.position).toBe(read.length);
  const fork = state.fork();
  const got = await step(lm, fork, 0);
  fork.dispose();
  const { logits } = cpu.forward([...read, 0]);
  const want = [...(await logits.data())].slice(-got.length);
  expect(relativeError(got, want)).toBeLessThan(1e-4);
}

/** Changes nothing, but makes the host choose. */
const ON_HOST = { repetitionPenalty: 1 + 1e-12 };
const SETTINGS: GenerateOptions[] = [
  { temperature: 0 },
  { seed: 5 },
  { seed: 6, temperature: 2, topK: 5 },
  { seed: 7, topP: 0.7 },
  { seed: 8, minP: 0.3 },
  { seed: 9, temperature: 1.5, topK: 12, topP: 0.9, minP: 0.05 },
];

/** `missing`: why there is no such backend here. `create` disposes it after the test. */
export function testGeneration(missing: string | undefined, create: () => Promise<Backend>): void {
  const pair = (seed?: number) => pairOn(create, seed);

  describe.skipIf(missing)('generation', { timeout: 180_000 }, () => {
    test('samples on the device what the host samples', async () => {
      const { lm } = await pair();
      for (const options of SETTINGS) {
        const all = { maxTokens: 16, ...options };
        const got = await lm.complete([1, 2, 3], all);
        const want = await lm.complete([1, 2, 3], { ...all, ...ON_HOST });
        expect(got.tokens, JSON.stringify(options)).toEqual(want.tokens);
        expect(relativeError(got.logprobs, want.logprobs)).toBeLessThan(1e-5);
      }
    });

    test.each<[string, GenerateOptions]>([
      ['maxTokens', { maxTokens: 7 }],
      ['one token', { maxTokens: 1 }],
      ['EOS', { maxTokens: 200, eos: [3, 9] }],
    ])('a given state has read what was given out, and no more: %s', async (_, options) => {
      const { backend, lm, cpu } = await pair();
      const state = lm.createState();
      for (const token of [4, 5, 6]) await step(lm, state, token);
      const before = backend.memory();
      const { tokens } = await lm.complete([1, 2], { ...options, seed: 3, temperature: 1.5, state });
      await expectRead(lm, state, cpu, [4, 5, 6, 1, 2, ...tokens]);
      const again = await lm.complete([7], { ...options, seed: 4, state });
      // What was attached to the state for its own steps is gone.
      expect(backend.memory().tensors).toBeLessThanOrEqual(before.tensors);
      await expectRead(lm, state, cpu, [4, 5, 6, 1, 2, ...tokens, 7, ...again.tokens]);
    });

    test('a given state stands after the last token when the loop is left or aborted', async () => {
      const { lm, cpu } = await pair();
      const state = lm.createState();
      const said: number[] = [];
      for await (const { token } of lm.generate([1, 2], { state, maxTokens: 50 })) {
        said.push(token);
        if (said.length === 4) break;
      }
      await expectRead(lm, state, cpu, [1, 2, ...said]);
      const controller = new AbortController();
      const loop = async () => {
        for await (const { token } of lm.generate([3], { state, signal: controller.signal })) {
          said.push(token);
          if (said.length === 7) controller.abort();
        }
      };
      await expect(loop()).rejects.toMatchObject({ code: 'ABORTED' });
      expect(said).toHaveLength(7);
      await expectRead(lm, state, cpu, [1, 2, ...said.slice(0, 4), 3, ...said.slice(4)]);
    });

    test.each([true, false])(
      'rows of a batch end at different tokens, with a given state: %s',
      async (given) => {
        const { backend, lm, cpu } = await pair(7);
        const prompts = [[1, 2], [3, 4, 5, 6], [7], [8, 9]];
        const options = { seed: 21, maxTokens: 25, eos: [2, 11] };
        const state = given ? lm.createState(4) : undefined;
        const before = backend.memory();
        const batch = await lm.complete(prompts, { ...options, state });
        expect(backend.memory()).toEqual(before);
        const want = await lm.complete(prompts, { ...options, ...ON_HOST });
        expect(batch.map(({ tokens }) => tokens)).toEqual(want.map(({ tokens }) => tokens));
        expect(new Set(batch.map(({ tokens }) => tokens.length)).size).toBeGreaterThan(1);
        if (!state) return;
        const { logits } = lm.step([0, 0, 0, 0], state);
        const got = [...(await logits.data())];
        for (const [r, prompt] of prompts.entries()) {
          const all = await cpu.forward([...prompt, ...batch[r]!.tokens, 0]).logits.data();
          expect(relativeError(got.slice(24 * r, 24 * r + 24), [...all].slice(-24))).toBeLessThan(1e-4);
        }
      },
    );

    test('logits that are no distribution are DIVERGED', async () => {
      const { backend, lm } = await pair();
      backend.write?.(lm.parameters().get('backbone.norm_f.weight')!, Array(16).fill(Number.NaN));
      await expect(lm.complete([1], { maxTokens: 3 })).rejects.toMatchObject({ code: 'DIVERGED' });
    });

    test('lets the event loop turn between tokens', async () => {
      const { lm } = await pair();
      const controller = new AbortController();
      setTimeout(() => controller.abort(), 20);
      const all = lm.complete([1], { maxTokens: 1_000_000, signal: controller.signal });
      await expect(all).rejects.toMatchObject({ code: 'ABORTED' });
    });
  });
}
