import type { Backend } from '@mamba-ts/backend';
import { createCpuBackend } from '@mamba-ts/cpu';
import { MambaLM } from '@mamba-ts/model';
import { inductionHeads, syntheticTask, Trainer } from '@mamba-ts/train';
import { describe, expect, test } from 'vitest';
import { noGpu, webgpu } from './backends.js';

/** The model that comes with the package mamba-ts. */
const embedded = new URL('../../mamba-ts/models/tiny-shakespeare/', import.meta.url);

describe.skipIf(noGpu)('a model on webgpu', () => {
  test('50 training steps on induction heads: the losses of cpu', { timeout: 300_000 }, async () => {
    const losses = async (backend: Backend) => {
      const task = syntheticTask(inductionHeads({ symbols: 4 }), { batch: 2, length: 12 });
      const model = await MambaLM.create(
        { dModel: 16, nLayer: 2, vocabSize: task.vocabSize, dState: 8 },
        { backend, seed: 1 },
      );
      const schedule = { kind: 'constant', lr: 1e-3, warmup: 0, steps: 50 } as const;
      const trainer = new Trainer(model, task, { schedule, seed: 1, weightDecay: 0.1 });
      const found: number[] = [];
      while (trainer.step < 50) found.push((await trainer.train()).loss);
      trainer.dispose();
      model.dispose();
      return found;
    };
    const backend = await webgpu();
    const [got, want] = [await losses(backend), await losses(await createCpuBackend())];
    for (const [i, loss] of want.entries()) expect(Math.abs(got[i]! / loss - 1)).toBeLessThan(1e-3);
    expect(backend.memory()).toEqual({ tensors: 0, bytes: 0 });
  });

  test('the embedded model writes what it writes on cpu, and creates nothing meanwhile', {
    timeout: 300_000,
  }, async () => {
    const write = async (backend: Backend, watch: () => string) => {
      const model = await MambaLM.fromPretrained(embedded, { backend });
      let text = '';
      const seen: string[] = [];
      for await (const piece of model.generate('ROMEO:\n', { maxTokens: 20, temperature: 0 })) {
        text += piece.text;
        seen.push(watch());
      }
      model.dispose();
      return { text, seen };
    };
    const backend = await webgpu();
    const { text, seen } = await write(backend, () => {
      const { pipelines, bindGroups, buffers } = backend.counters;
      return `${pipelines} pipelines, ${bindGroups} bind groups, ${buffers} buffers`;
    });
    expect(text).toBe((await write(await createCpuBackend(), () => '')).text);
    expect(text.length).toBeGreaterThan(16);
    expect(new Set(seen.slice(8)).size).toBe(1);
    expect(backend.memory()).toEqual({ tensors: 0, bytes: 0 });

    // Drawn from, on the GPU and on the host, which a repetition penalty of all but nothing asks for.
    const model = await MambaLM.fromPretrained(embedded, { backend });
    const drawn = { maxTokens: 8, seed: 2, temperature: 0.8, topK: 30, topP: 0.9, minP: 0.02 };
    const { tokens } = await model.complete('JULIET:\n', drawn);
    const onHost = await model.complete('JULIET:\n', { ...drawn, repetitionPenalty: 1 + 1e-12 });
    expect(tokens).toEqual(onHost.tokens);
    model.dispose();
  });
});
