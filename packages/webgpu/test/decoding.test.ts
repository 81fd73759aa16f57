import type { Backend } from '@mamba-ts/backend';
import { createCpuBackend } from '@mamba-ts/cpu';
import { type GenerateOptions, MambaLM, type MambaState } from '@mamba-ts/model';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { WebgpuBackend } from '../src/index.js';
import { far, noGpu, webgpu } from './backends.js';

const config = { dModel: 16, nLayer: 2, vocabSize: 24, dState: 8 };

/** The same model on webgpu and on the reference backend. */
async function pair(seed = 1): Promise<{ backend: WebgpuBackend; lm: MambaLM; cpu: MambaLM }> {
  const backend = await webgpu();
  const other = await createCpuBackend();
  onTestFinished(() => other.dispose());
  return {
    backend,
    lm: await MambaLM.create(config, { backend, seed }),
    cpu: await MambaLM.create(config, { backend: other, seed }),
  };
}

async function step(lm: MambaLM, state: MambaState, token: number): Promise<number[]> {
  const { logits } = lm.step([token], state);
  const values = [...(await logits.data())];
  logits.dispose();
  return values;
}

/** What a state has read: the logits after one more token, beside those of the reference after all of it. */
async function expectRead(lm: MambaLM, state: MambaState, cpu: MambaLM, read: readonly number[]) {
  expect(state.position).toBe(read.length);
  const fork = state.fork();
  const got = await step(lm, fork, 0);
  fork.dispose();
  const { logits } = cpu.forward([...read, 0]);
  const want = [...(await logits.data())].slice(-got.length);
  expect(far(got, want)).toBeLessThan(1e-4);
}

const created = ({ counters: { pipelines, bindGroups, buffers } }: WebgpuBackend) =>
  `${pipelines} pipelines, ${bindGroups} bind groups, ${buffers} buffers`;

describe.skipIf(noGpu)('step', { timeout: 180_000 }, () => {
  test('is captured: the logits of cpu, and nothing is created', async () => {
    const { backend, lm, cpu } = await pair();
    const [state, other] = [lm.createState(), cpu.createState()];
    const seen: string[] = [];
    for (let t = 0; t < 10; t++) {
      expect(far(await step(lm, state, (5 * t) % 24), await step(cpu, other, (5 * t) % 24))).toBeLessThan(
        1e-5,
      );
      seen.push(created(backend));
    }
    expect(new Set(seen.slice(4)).size).toBe(1);
    state.dispose();
    lm.dispose();
    expect(backend.memory()).toEqual({ tensors: 0, bytes: 0 });
  });

  test('gives logits that the next steps leave alone', async () => {
    const { lm, cpu } = await pair();
    const [state, other] = [lm.createState(), cpu.createState()];
    const all = [3, 1, 4, 1, 5].map((token) => lm.step([token], state).logits);
    for (const [t, token] of [3, 1, 4, 1, 5].entries())
      expect(far(await all[t]!.data(), await step(cpu, other, token))).toBeLessThan(1e-5);
  });

  test('of forks, saved states and prefilled ones goes its own way', async () => {
    const { lm, cpu } = await pair();
    const state = lm.createState();
    const read = [1, 2, 3, 4];
    for (const token of read) await step(lm, state, token);
    const fork = state.fork();
    const saved = await state.save();
    await step(lm, state, 5);
    for (const token of [6, 7, 8]) await step(lm, fork, token);
    const restored = await lm.restoreState(saved);
    await expectRead(lm, restored, cpu, read);
    await expectRead(lm, state, cpu, [...read, 5]);
    await expectRead(lm, fork, cpu, [...read, 6, 7, 8]);
    (await lm.prefill([9, 10], state)).logits.dispose();
    for (const token of [11, 12, 13]) await step(lm, state, token);
    await expectRead(lm, state, cpu, [...read, 5, 9, 10, 11, 12, 13]);
  });

  test('of a batch', async () => {
    const { lm, cpu } = await pair();
    const [state, other] = [lm.createState(3), cpu.createState(3)];
    for (let t = 0; t < 5; t++) {
      const tokens = [t, t + 7, 2 * t];
      const [got, want] = [lm.step(tokens, state).logits, cpu.step(tokens, other).logits];
      expect(far(await got.data(), await want.data())).toBeLessThan(1e-5);
    }
  });

  test('follows changed parameters, and lives through a scope of the caller', async () => {
    const { backend, lm, cpu } = await pair();
    const [state, other] = [lm.createState(), cpu.createState()];
    for (let t = 0; t < 8; t++) {
      if (t === 4) {
        for (const model of [lm, cpu]) {
          const A = model.parameters().get('backbone.layers.0.mixer.A_log')!;
          const zero = model.backend.zeros(A.shape);
          const grad = model.backend.ops.fill({ shape: A.shape, value: 1 });
          const [m, v] = [zero, model.backend.zeros(A.shape)];
          const rates = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0, lr: 0.5, step: 1 };
          model.backend.ops.adamW({ param: A, grad, m, v, ...rates });
          model.parametersChanged();
        }
      }
      const logits = backend.scope(() => lm.step([t], state).logits);
      expect(far(await logits.data(), await step(cpu, other, t))).toBeLessThan(1e-5);
      logits.dispose();
    }
  });

  test('holds on to no weights of a model that was disposed', async () => {
    const { backend, lm } = await pair();
    const state = lm.createState();
    for (const token of [1, 2, 3]) await step(lm, state, token);
    lm.dispose();
    state.dispose();
    expect(backend.memory()).toEqual({ tensors: 0, bytes: 0 });
    const { buffers } = backend.counters;
    await MambaLM.create(config, { backend });
    expect(backend.counters.buffers).toBe(buffers);
  });
});

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

describe.skipIf(noGpu)('generate', { timeout: 180_000 }, () => {
  test('samples on the GPU what the host samples', async () => {
    const { lm } = await pair();
    for (const options of SETTINGS) {
      const all = { maxTokens: 16, ...options };
      const got = await lm.complete([1, 2, 3], all);
      const want = await lm.complete([1, 2, 3], { ...all, ...ON_HOST });
      expect(got.tokens, JSON.stringify(options)).toEqual(want.tokens);
      expect(far(got.logprobs, want.logprobs)).toBeLessThan(1e-5);
    }
  });

  test('reads eight bytes a token, creates nothing, and is a step ahead', async () => {
    const { backend, lm } = await pair();
    const each: { bytes: number; dispatches: number; created: string }[] = [];
    let before = backend.counters;
    for await (const _ of lm.generate([1], { maxTokens: 20, temperature: 0.7, minP: 0.1 })) {
      const { bytesRead, dispatches } = backend.counters;
      each.push({
        bytes: bytesRead - before.bytesRead,
        dispatches: dispatches - before.dispatches,
        created: created(backend),
      });
      before = backend.counters;
    }
    const steady = each.slice(5, -2);
    // Two layers of four, embedding, norm, head, sampling, and the token's way to the next step.
    expect(new Set(steady.map(({ dispatches }) => dispatches))).toEqual(new Set([2 * 4 + 5]));
    expect(new Set(steady.map(({ bytes }) => bytes))).toEqual(new Set([8]));
    expect(new Set(steady.map(({ created }) => created)).size).toBe(1);
    // Nothing was left to enqueue for the last two.
    expect(each.slice(-2).map(({ dispatches }) => dispatches)).toEqual([0, 0]);
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
        expect(far(got.slice(24 * r, 24 * r + 24), [...all].slice(-24))).toBeLessThan(1e-4);
      }
    },
  );

  test('logits that are no distribution are DIVERGED', async () => {
    const backend = await webgpu();
    const lm = await MambaLM.create(config, { backend });
    backend.write(lm.parameters().get('backbone.norm_f.weight')!, Array(16).fill(Number.NaN));
    await expect(lm.complete([1], { maxTokens: 3 })).rejects.toMatchObject({ code: 'DIVERGED' });
  });

  test('a lost device ends it, and a state saved before goes on elsewhere', async () => {
    const { backend, lm, cpu } = await pair();
    const state = lm.createState();
    const options = { temperature: 0, maxTokens: 12 };
    const first = await lm.complete([1, 2], { ...options, maxTokens: 5, state });
    const saved = await state.save();
    const loop = async () => {
      for await (const _ of lm.generate([3], { state, maxTokens: 50 })) backend.device.destroy();
    };
    await expect(loop()).rejects.toMatchObject({ code: 'DEVICE_LOST' });
    const fresh: Backend = await webgpu();
    const again = await MambaLM.create(config, { backend: fresh, seed: 1 });
    const restored = await again.restoreState(saved);
    const { tokens } = await again.complete([4], { ...options, state: restored });
    const want = await cpu.complete([1, 2, ...first.tokens, 4], options);
    expect(tokens).toEqual(want.tokens);
  });
});
