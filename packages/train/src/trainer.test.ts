import type { Backend } from '@mamba-ts/backend';
import { createCpuBackend } from '@mamba-ts/cpu';
import type { Random } from '@mamba-ts/ssm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Bigram } from '../test/bigram.js';
import { evaluateBatches } from './evaluate.js';
import type { Task } from './tasks/task.js';
import { Trainer, type TrainerOptions } from './trainer.js';

let backend: Backend;
beforeEach(async () => {
  backend = await createCpuBackend();
});
afterEach(() => backend.dispose());

const V = 6;
/** The next token is the present one plus one. */
const counting = (rows: number): Task => {
  const batch = (random: Random) => {
    const ids = Array.from({ length: rows }, () => Array.from({ length: 4 }, () => random.int(V)));
    return { ids, targets: ids.map((row) => row.map((id) => (id + 1) % V)) };
  };
  return {
    name: 'counting',
    vocabSize: V,
    chance: { loss: Math.log(V), tokenAccuracy: 1 / V },
    batch,
    evaluate: (model) => evaluateBatches(model, [{ ids: [[0, 1, 2]], targets: [[1, 2, 3]] }]),
  };
};
const options = (more: Partial<TrainerOptions> = {}): TrainerOptions => ({
  schedule: { kind: 'constant', lr: 0.1, warmup: 0, steps: 100 },
  seed: 1,
  weightDecay: 0,
  ...more,
});
const weights = async (model: Bigram) =>
  Promise.all([...model.parameters().values()].map(async (tensor) => Array.from(await tensor.data())));

describe('Trainer', () => {
  it('learns', async () => {
    const trainer = new Trainer(new Bigram(backend, V, 8), counting(8), options());
    const first = await trainer.train();
    expect(first).toMatchObject({ step: 1, lr: 0.1, tokens: 32 });
    let last = first;
    while (trainer.step < 30) last = await trainer.train();
    expect(last.loss).toBeLessThan(first.loss / 5);
    expect(await trainer.task.evaluate(trainer.model)).toMatchObject({ tokenAccuracy: 1 });
  });

  it('averages accumulated batches: two of one row are one of two rows', async () => {
    const [split, whole] = [new Bigram(backend, V, 4), new Bigram(backend, V, 4)];
    const a = new Trainer(split, counting(1), options({ accumulate: 2 }));
    const b = new Trainer(whole, counting(2), options());
    for (let i = 0; i < 5; i++) {
      const [x, y] = [await a.train(), await b.train()];
      expect(x.loss).toBeCloseTo(y.loss, 12);
      expect(x.gradNorm).toBeCloseTo(y.gradNorm, 12);
      expect(x.tokens).toBe(y.tokens);
    }
    const [left, right] = [(await weights(split)).flat(), (await weights(whole)).flat()];
    left.forEach((value, i) => {
      expect(value).toBeCloseTo(right[i]!, 10);
    });
  });

  it('gives the same losses for the same seed, others for another', async () => {
    const losses = async (seed: number) => {
      const trainer = new Trainer(new Bigram(backend, V, 4, 'f32'), counting(2), options({ seed }));
      const list: number[] = [];
      while (trainer.step < 5) list.push((await trainer.train()).loss);
      return list;
    };
    expect(await losses(1)).toEqual(await losses(1));
    expect(await losses(2)).not.toEqual(await losses(1));
  });

  it('keeps nothing on the backend but parameters and moments', async () => {
    const trainer = new Trainer(new Bigram(backend, V, 4), counting(2), options({ accumulate: 3 }));
    const before = backend.memory();
    for (let i = 0; i < 3; i++) await trainer.train();
    expect(backend.memory()).toEqual(before);
    trainer.dispose();
    expect(backend.memory().tensors).toBe(2);
  });

  it('stops with the step when the loss is no longer finite', async () => {
    const trainer = new Trainer(
      new Bigram(backend, V, 4, 'f32'),
      counting(2),
      options({ schedule: { kind: 'constant', lr: 1e38, warmup: 0, steps: 9 } }),
    );
    await trainer.train();
    const before = backend.memory();
    await expect(trainer.train()).rejects.toEqual(
      expect.objectContaining({
        code: 'DIVERGED',
        message: expect.stringMatching(/^step 2: the loss is (NaN|Infinity)/),
        details: expect.objectContaining({ step: 2 }),
      }),
    );
    expect(trainer.step).toBe(1);
    expect(backend.memory()).toEqual(before);
  });

  it('refuses options outside their range', () => {
    const model = new Bigram(backend, V, 4);
    const before = backend.memory();
    for (const bad of [
      { accumulate: 0 },
      { accumulate: 1.5 },
      { seed: 0.5 },
      { clip: -1 },
      { schedule: { kind: 'constant', lr: -1, warmup: 0, steps: 1 } as const },
    ]) {
      expect(() => new Trainer(model, counting(1), options(bad))).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
      );
    }
    expect(backend.memory()).toEqual(before);
  });
});
