import type { Backend } from '@mamba-ts/backend';
import { MambaLM } from '@mamba-ts/model';
import { describe, expect, test } from 'vitest';
import { config, expectRead, pairOn, step, testGeneration } from '../../model/test/generation.js';
import type { WebgpuBackend } from '../src/index.js';
import { far, noGpu, webgpu } from './backends.js';

const pair = () => pairOn(webgpu);

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

testGeneration(noGpu, webgpu);

describe.skipIf(noGpu)('generate', { timeout: 180_000 }, () => {
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
