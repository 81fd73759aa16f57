import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Backend } from '@mamba-ts/backend';
import { createCpuBackend } from '@mamba-ts/cpu';
import { MambaLM } from '@mamba-ts/model';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { evaluateText } from './evaluate-text.js';
import { openModel } from './run-folder.js';
import { type TrainOptions, train } from './train.js';

let backend: Backend;
let folder: string;
beforeEach(async () => {
  backend = await createCpuBackend();
  folder = await mkdtemp(join(tmpdir(), 'mamba-ts-train-'));
  await writeFile(join(folder, 'text.txt'), 'the quick brown fox jumps over the lazy dog. '.repeat(20));
});
afterEach(async () => {
  expect(backend.memory().tensors).toBe(0);
  await backend.dispose();
  await rm(folder, { recursive: true });
});

const code = (code: string) => expect.objectContaining({ code });
const small = (more: Partial<TrainOptions> = {}): TrainOptions => ({
  backend,
  out: join(folder, 'run'),
  task: 'text',
  data: join(folder, 'text.txt'),
  dModel: 8,
  layers: 1,
  model: { dState: 4 },
  batch: 2,
  length: 8,
  steps: 8,
  warmup: 2,
  evalEvery: 3,
  evalSize: 40,
  saveEvery: 2,
  ...more,
});
const lines = async (out = join(folder, 'run')) =>
  (await readFile(join(out, 'metrics.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, number>);
/** Metrics without the times. */
const figures = async (out?: string) =>
  (await lines(out)).map(({ tokensPerSecond, elapsed, ...rest }) => rest);

/** The training steps alone: a run that ended early had an evaluation there. */
const steps = async (out?: string) => (await figures(out)).filter(({ loss }) => loss !== undefined);

describe('train', () => {
  it('leaves options, metrics, checkpoints and the best model', async () => {
    const { best, ...result } = await train(small());
    const out = join(folder, 'run');
    expect((await readdir(out)).sort()).toEqual(
      ['checkpoints', 'config.json', 'metrics.jsonl', 'model.safetensors', 'options.json'].sort(),
    );
    expect(await readdir(join(out, 'checkpoints'))).toEqual(['step-00000006', 'step-00000008']);
    expect((await readdir(join(out, 'checkpoints', 'step-00000008'))).sort()).toEqual([
      'config.json',
      'model.safetensors',
      'optimizer.safetensors',
      'state.json',
    ]);
    expect(JSON.parse(await readFile(join(out, 'options.json'), 'utf8'))).toMatchObject({
      task: 'text',
      seed: 1,
      steps: 8,
      lr: 3e-3,
      data: join(folder, 'text.txt'),
      dataSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    const kinds = (await lines()).map(({ step, loss }) =>
      loss === undefined ? `evaluation ${step}` : `${step}`,
    );
    expect(kinds.join(', ')).toBe('1, 2, 3, evaluation 3, 4, 5, 6, evaluation 6, 7, 8, evaluation 8');
    expect(result).toMatchObject({ step: 8, aborted: false, chance: { loss: Math.log(256) } });

    // The model in the folder is the one whose validation loss was lowest.
    const losses = (await lines()).flatMap(({ validationLoss }) => validationLoss ?? []);
    expect(best!.validationLoss).toBe(Math.min(...losses));
    const lm = await MambaLM.fromPretrained(out, { backend });
    const text = await readFile(join(folder, 'text.txt'));
    const validation = text.subarray(Math.floor(text.length * 0.9)).subarray(0, 40);
    expect((await evaluateText(lm, validation)).natsPerToken).toBeCloseTo(best!.validationLoss, 6);
    lm.dispose();
  });

  it('resumes as if it had never stopped, wherever that was', async () => {
    const whole = join(folder, 'whole');
    await train(small({ out: whole }));
    const out = join(folder, 'run');
    for (const stop of [1, 3, 4, 7]) {
      const controller = new AbortController();
      const result = await train(
        small({
          resume: true,
          signal: controller.signal,
          onStep: ({ step }) => {
            if (step === stop) controller.abort();
          },
        }),
      );
      expect(result).toMatchObject({ step: stop, aborted: true });
    }
    // What the run was started with need not be said again.
    const result = await train({ backend, out, resume: true });
    expect(result).toMatchObject({ step: 8, aborted: false });
    expect(await figures()).toEqual(await figures(whole));
    for (const file of [
      'model.safetensors',
      'checkpoints/step-00000008/model.safetensors',
      'checkpoints/step-00000008/optimizer.safetensors',
    ]) {
      expect(Buffer.compare(await readFile(join(out, file)), await readFile(join(whole, file))), file).toBe(
        0,
      );
    }
  });

  it('trains the attention baseline, and resumes it', async () => {
    const attention = {
      task: 'induction-heads',
      data: undefined,
      mixer: 'attention',
      heads: 2,
      symbols: 3,
      minLength: 4,
      model: undefined,
      evalSize: 4,
    } as const;
    await train(small({ ...attention, out: join(folder, 'whole') }));
    await train(small({ ...attention, steps: 3 }));
    await train({ backend, out: join(folder, 'run'), resume: true, steps: 8 });
    expect(await steps()).toEqual(await steps(join(folder, 'whole')));
    const model = await openModel(join(folder, 'run'), 'attention', backend);
    expect(model.parameters().get('embedding.weight')!.shape).toEqual([4, 8]);
    model.dispose();
  });

  it('goes on for longer, and at another learning rate', async () => {
    await train(small({ schedule: 'constant' }));
    const result = await train({ ...small({ schedule: 'constant', resume: true }), steps: 10, lr: 1e-4 });
    expect(result.step).toBe(10);
    expect(result.last!.lr).toBe(1e-4);
    expect((await lines()).filter(({ loss }) => loss !== undefined).map(({ step }) => step)).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
    ]);
  });

  it('clears away what a killed run left', async () => {
    await train(small());
    const unfinished = join(folder, 'run', 'checkpoints', '.step-00000010');
    await mkdir(unfinished);
    await writeFile(join(unfinished, 'model.safetensors'), 'half');
    await train(small({ steps: 10, resume: true }));
    expect(await readdir(join(folder, 'run', 'checkpoints'))).toEqual(['step-00000008', 'step-00000010']);
  });

  it('trains each synthetic task and mixer', async () => {
    for (const [task, mixer] of [
      ['copying', 's4d'],
      ['selective-copying', 's6'],
      ['induction-heads', 's6'],
    ] as const) {
      const out = join(folder, task);
      const result = await train({
        ...small({ out, task, data: undefined, mixer, length: 36, evalLength: 40, steps: 2 }),
        evalSize: 4,
      });
      expect(result.evaluation).toMatchObject({
        tokenAccuracy: expect.any(Number),
        sequenceAccuracy: expect.any(Number),
      });
      const lm = await MambaLM.fromPretrained(out, { backend });
      expect(lm.config).toMatchObject({ mixer, vocabSize: task === 'induction-heads' ? 17 : 16, dState: 4 });
      lm.dispose();
    }
  });

  it('says what it starts with', async () => {
    const starts: object[] = [];
    await train(small({ steps: 1, warmup: 0, onStart: (start) => starts.push(start) }));
    await train(small({ steps: 2, resume: true, onStart: (start) => starts.push(start) }));
    expect(starts).toMatchObject([{ step: 0 }, { step: 1 }]);
    const lm = await MambaLM.fromPretrained(join(folder, 'run'), { backend });
    let parameters = 0;
    for (const { shape } of lm.parameters().values()) parameters += shape.reduce((a, b) => a * b, 1);
    expect(starts[0]).toMatchObject({ parameters, settings: { task: 'text' } });
    lm.dispose();
  });

  it('keeps the checkpoints of a run that diverges', async () => {
    const options = small({ lr: 1e30, warmup: 0, steps: 20, saveEvery: 1, clip: Number.POSITIVE_INFINITY });
    await expect(train(options)).rejects.toEqual(code('DIVERGED'));
    const checkpoints = await readdir(join(folder, 'run', 'checkpoints'));
    const last = (await lines()).at(-1)!;
    expect(checkpoints.at(-1)).toBe(`step-${String(last['step']).padStart(8, '0')}`);
  });

  it('refuses a folder that holds a run, other data, and options of another run', async () => {
    await train(small({ steps: 2 }));
    await expect(train(small())).rejects.toThrow(/already holds a run: resume it/);
    const options = join(folder, 'run', 'options.json');
    const content = await readFile(options);
    await rm(options);
    await expect(train(small())).rejects.toThrow(/already holds a run: resume it/);
    await writeFile(options, content);
    await expect(train(small({ resume: true, seed: 5 }))).rejects.toThrow(/started with seed 1, not 5/);
    await writeFile(join(folder, 'text.txt'), 'something else '.repeat(50));
    await expect(train(small({ resume: true }))).rejects.toThrow(/is not what the run was started with/);
  });

  it('refuses bad input before it makes a folder', async () => {
    for (const [bad, message] of [
      [{ data: join(folder, 'missing.txt') }, /missing.txt: the data cannot be read/],
      [{ data: undefined }, /needs data/],
      [{ length: 5000 }, /too few/],
      [{ keep: 0 }, /keep/],
      [{ lr: -1 }, /learning rate/],
      [{ dModel: 0 }, /dModel/],
      [{ seed: 0.5 }, /seed must be an integer/],
      [{ signal: AbortSignal.abort() }, /aborted/],
    ] as const) {
      await expect(train(small(bad))).rejects.toEqual(
        expect.objectContaining({ name: 'MambaError', message: expect.stringMatching(message) }),
      );
    }
    await expect(readdir(join(folder, 'run'))).rejects.toThrow();
    await expect(train(small({ out: join(folder, 'text.txt', 'run') }))).rejects.toEqual(code('IO'));
  });

  it('says which file of a checkpoint is spoiled', async () => {
    await train(small({ steps: 2 }));
    const state = join(folder, 'run', 'checkpoints', 'step-00000002', 'state.json');
    const good = await readFile(state, 'utf8');
    await writeFile(state, '{');
    await expect(train(small({ resume: true }))).rejects.toThrow(/state.json: not JSON/);
    await writeFile(state, good.replace('"format":1', '"format":9'));
    await expect(train(small({ resume: true }))).rejects.toThrow(/format 9, but this version reads 1/);
    await writeFile(state, good.replace('"random"', '"dice"'));
    await expect(train(small({ resume: true }))).rejects.toThrow(/state.json: .*random.* is missing/);
    await rm(state);
    await expect(train(small({ resume: true }))).rejects.toEqual(code('IO'));
  });
});
