import { type Backend, MambaError } from '@mamba-ts/backend';
import { createCpuBackend } from '@mamba-ts/cpu';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Bigram } from '../test/bigram.js';
import type { Evaluation } from './evaluate.js';
import { type RunOptions, type RunState, runTraining } from './run.js';
import type { Task } from './tasks/task.js';
import { Trainer } from './trainer.js';

let backend: Backend;
beforeEach(async () => {
  backend = await createCpuBackend();
});
afterEach(() => backend.dispose());

/** A run whose evaluations give these losses, and everything that it does, in order. */
function setUp(losses: number[] = [], chance: Partial<Task['chance']> = {}) {
  const events: string[] = [];
  const states: RunState[] = [];
  const task: Task = {
    name: 'test',
    vocabSize: 3,
    chance: { loss: 1, tokenAccuracy: 0, ...chance },
    batch: () => ({ ids: [[0, 1]], targets: [[1, 2]] }),
    evaluate: async (_model, { signal } = {}): Promise<Evaluation> => {
      if (signal?.aborted) throw new MambaError('ABORTED', 'stop');
      return {
        loss: losses.shift() ?? 0,
        tokenAccuracy: 0.5,
        sequenceAccuracy: 0.25,
        tokens: 2,
        sequences: 1,
      };
    },
  };
  const trainer = new Trainer(new Bigram(backend, 3, 2), task, {
    schedule: { kind: 'constant', lr: 0.01, warmup: 0, steps: 10 },
    seed: 1,
  });
  const options: RunOptions = {
    steps: 4,
    evalEvery: 2,
    saveEvery: 3,
    store: {
      log: async (line) => {
        events.push('validationLoss' in line ? `eval ${line.step}` : `step ${line.step}`);
      },
      saveBest: async () => {
        events.push(`best ${trainer.step}`);
      },
      save: async (state) => {
        events.push(`save ${state.step}`);
        states.push(state);
      },
    },
  };
  return { trainer, options, events, states, task };
}

describe('runTraining', () => {
  it('steps, evaluates, keeps the best and saves, in this order', async () => {
    const { trainer, options, events, states } = setUp([2, 3]);
    const result = await runTraining(trainer, options);
    expect(events.join(', ')).toBe('step 1, step 2, best 2, eval 2, step 3, save 3, step 4, eval 4, save 4');
    expect(states.map(({ step, evaluated, best }) => ({ step, evaluated, best }))).toEqual([
      { step: 3, evaluated: 2, best: { step: 2, validationLoss: 2 } },
      { step: 4, evaluated: 4, best: { step: 2, validationLoss: 2 } },
    ]);
    expect(result).toMatchObject({
      step: 4,
      aborted: false,
      best: { step: 2, validationLoss: 2 },
      last: { step: 4 },
      evaluation: { step: 4, validationLoss: 3, tokenAccuracy: 0.5 },
    });
  });

  it('keeps the later of two equally good models', async () => {
    const { trainer, options, events } = setUp([0, 0]);
    expect((await runTraining(trainer, options)).best).toEqual({ step: 4, validationLoss: 0 });
    expect(events.filter((event) => event.startsWith('best'))).toEqual(['best 2', 'best 4']);
  });

  it('reports each step and evaluation', async () => {
    const { trainer, options } = setUp([2, 1], { sequenceAccuracy: 0 });
    const seen: object[] = [];
    await runTraining(trainer, {
      ...options,
      onStep: (metrics) => void seen.push(metrics),
      onEvaluation: (metrics) => void seen.push(metrics),
    });
    expect(seen.map((metrics) => Object.keys(metrics).join())).toEqual([
      'step,loss,lr,gradNorm,tokensPerSecond,elapsed',
      'step,loss,lr,gradNorm,tokensPerSecond,elapsed',
      'step,validationLoss,tokenAccuracy,sequenceAccuracy,elapsed',
      'step,loss,lr,gradNorm,tokensPerSecond,elapsed',
      'step,loss,lr,gradNorm,tokensPerSecond,elapsed',
      'step,validationLoss,tokenAccuracy,sequenceAccuracy,elapsed',
    ]);
  });

  it('runs without a store', async () => {
    const { trainer, options } = setUp();
    expect(await runTraining(trainer, { ...options, store: undefined })).toMatchObject({ step: 4 });
  });

  it('saves and returns when aborted, and evaluates later what it did not', async () => {
    const { trainer, options, events, states } = setUp([2]);
    const controller = new AbortController();
    const onStep = ({ step }: { step: number }) => {
      if (step === 2) controller.abort();
    };
    const result = await runTraining(trainer, { ...options, signal: controller.signal, onStep });
    expect(result).toMatchObject({ step: 2, aborted: true, best: undefined });
    expect(events).toEqual(['step 1', 'step 2', 'save 2']);
    expect(states[0]).toMatchObject({ step: 2, evaluated: 0 });

    events.length = 0;
    await runTraining(trainer, { ...options, from: states[0] });
    expect(events.slice(0, 3)).toEqual(['best 2', 'eval 2', 'step 3']);
  });

  it('does nothing to a run that is done', async () => {
    const { trainer, options, events, states } = setUp([2, 1]);
    await runTraining(trainer, options);
    events.length = 0;
    const from = states.at(-1)!;
    expect(await runTraining(trainer, { ...options, from })).toMatchObject({
      step: 4,
      aborted: false,
      best: { step: 4, validationLoss: 1 },
    });
    expect(events).toEqual([]);
  });

  it('adds up the time over resumptions', async () => {
    const { trainer, options, states } = setUp();
    await runTraining(trainer, options);
    const from = { ...states.at(-1)!, elapsed: 1000 };
    const { elapsed, last } = await runTraining(trainer, { ...options, steps: 5, from });
    expect(elapsed).toBeGreaterThan(1000);
    expect(last!.elapsed).toBeGreaterThan(1000);
  });

  it('passes on what an evaluation throws', async () => {
    const { trainer, options, task } = setUp();
    task.evaluate = async () => {
      throw new Error('broken');
    };
    await expect(runTraining(trainer, options)).rejects.toThrow('broken');
  });

  it('refuses counts below one', async () => {
    const { trainer, options } = setUp();
    for (const bad of [{ steps: 0 }, { evalEvery: 1.5 }, { saveEvery: Number.NaN }]) {
      await expect(runTraining(trainer, { ...options, ...bad })).rejects.toEqual(
        expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
      );
    }
  });
});
