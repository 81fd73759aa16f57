import type { Backend } from '@mamba-ts/backend';
import { createCpuBackend } from '@mamba-ts/cpu';
import { MambaLM } from '@mamba-ts/model';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Evaluation } from './evaluate.js';
import { copying, selectiveCopying } from './tasks/copying.js';
import { inductionHeads } from './tasks/induction-heads.js';
import { syntheticTask } from './tasks/synthetic.js';
import type { Task } from './tasks/task.js';
import { textTask } from './tasks/text.js';
import { Trainer } from './trainer.js';

let backend: Backend;
beforeEach(async () => {
  backend = await createCpuBackend();
});
afterEach(() => backend.dispose());

/** Trains two small layers; returns the loss of each step and what was learned. */
async function learn(
  task: Task,
  steps: number,
  mixer: 's6' | 's4d' = 's6',
): Promise<{ losses: number[]; evaluation: Evaluation }> {
  const { vocabSize } = task;
  const config = { dModel: 16, nLayer: 2, dState: 8, vocabSize, padVocabSizeMultiple: 1, mixer };
  const trainer = new Trainer(await MambaLM.create(config, { backend, seed: 1 }), task, {
    schedule: { kind: 'constant', lr: 1e-2, warmup: 10, steps },
    seed: 1,
    weightDecay: 0,
  });
  const losses: number[] = [];
  while (trainer.step < steps) losses.push((await trainer.train()).loss);
  return { losses, evaluation: await task.evaluate(trainer.model) };
}

describe('a small model on the cpu', () => {
  it('learns induction heads, also where they are twice as long', async () => {
    const settings = { length: 10, evalLength: 20, batch: 8, evalSequences: 200 };
    const { evaluation } = await learn(syntheticTask(inductionHeads({ symbols: 4 }), settings), 200);
    expect(evaluation.tokenAccuracy).toBeGreaterThan(0.9); // chance 0.25
  });

  it('learns copying with a time-invariant mixer', async () => {
    const settings = { length: 8, batch: 8, evalSequences: 200 };
    const task = syntheticTask(copying({ vocabSize: 6, tokens: 3 }), settings);
    const { evaluation } = await learn(task, 170, 's4d');
    expect(evaluation.tokenAccuracy).toBeGreaterThan(0.95); // chance 0.25
    expect(evaluation.sequenceAccuracy).toBeGreaterThan(0.9); // chance 1 / 64
  });

  it('learns selective copying', async () => {
    const settings = { length: 10, batch: 8, evalSequences: 200 };
    const task = syntheticTask(selectiveCopying({ vocabSize: 5, tokens: 2 }), settings);
    expect((await learn(task, 180)).evaluation.tokenAccuracy).toBeGreaterThan(0.9); // chance 1 / 3
  });

  it('learns a short text by heart, the same way each time', async () => {
    const bytes = new TextEncoder().encode('the quick brown fox jumps over the lazy dog. '.repeat(30));
    const task = textTask(bytes, { length: 32, batch: 2 });
    const { losses, evaluation } = await learn(task, 80);
    const mean = (from: number, to: number) => losses.slice(from, to).reduce((a, b) => a + b) / (to - from);
    expect(losses[0]).toBeCloseTo(Math.log(256), 0);
    expect(mean(20, 40)).toBeLessThan(mean(0, 20));
    expect(mean(60, 80)).toBeLessThan(mean(20, 40) / 4);
    expect(evaluation.tokenAccuracy).toBeGreaterThan(0.9);
    expect((await learn(task, 10)).losses).toEqual(losses.slice(0, 10));
  });
});
