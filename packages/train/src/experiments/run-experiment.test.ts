import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Backend } from '@mamba-ts/backend';
import { createCpuBackend } from '@mamba-ts/cpu';
import { MambaLM } from '@mamba-ts/model';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AttentionLM } from '../attention/attention-lm.js';
import { EXPERIMENT_NAMES, experiment, s4dStates } from './definitions.js';
import { type ExperimentOptions, runExperiment } from './run-experiment.js';

let backend: Backend;
let folder: string;
beforeEach(async () => {
  backend = await createCpuBackend();
  folder = await mkdtemp(join(tmpdir(), 'mamba-ts-experiment-'));
});
afterEach(async () => {
  expect(backend.memory().tensors).toBe(0);
  await backend.dispose();
  await rm(folder, { recursive: true });
});

const code = (code: string) => expect.objectContaining({ code });
const tiny = (more: Partial<ExperimentOptions> = {}): ExperimentOptions => ({
  backend,
  name: 'induction-heads',
  out: join(folder, 'out'),
  seeds: [1],
  rows: ['s6', 'attention'],
  quick: true,
  steps: 4,
  length: 12,
  minLength: 6,
  dModel: 4,
  testTokens: 128,
  maxTestLength: 128,
  ...more,
});
const read = (file: string, out = 'out') => readFile(join(folder, out, file), 'utf8');

describe('runExperiment', () => {
  it('writes figures, table, plot and runs; the same seeds give the same figures', async () => {
    const result = await runExperiment(tiny({ seeds: [1, 2] }));
    expect((await readdir(join(folder, 'out'))).sort()).toEqual([
      'plot.svg',
      'result.json',
      'runs',
      'table.md',
      'times.json',
    ]);
    expect((await readdir(join(folder, 'out', 'runs'))).sort()).toEqual([
      'attention-seed1',
      'attention-seed2',
      's6-seed1',
      's6-seed2',
    ]);
    expect(JSON.parse(await read('result.json'))).toEqual(JSON.parse(JSON.stringify(result)));
    const [s6] = result.rows;
    expect(s6).toMatchObject({
      name: 's6',
      runs: [
        { seed: 1, steps: 4, backend: backend.description },
        { seed: 2, steps: 4, backend: backend.description },
      ],
    });
    expect(s6!.runs[0]!.tests.map(({ length, sequences }) => [length, sequences])).toEqual([
      [64, 4],
      [128, 4],
    ]);
    expect(s6!.runs[0]!.curve.map(({ step }) => step)).toEqual([4]);
    expect(await read('table.md')).toContain('| 2^6 | 2^7 |');
    expect(await read('plot.svg')).toContain('S6 (Mamba)');

    await runExperiment(tiny({ seeds: [1, 2], out: join(folder, 'again') }));
    for (const file of ['result.json', 'table.md', 'plot.svg']) {
      expect(await read(file, 'again')).toBe(await read(file));
    }
  });

  it('is stopped, and goes on where it was; what is finished is not done again', async () => {
    const stop = new AbortController();
    const seen: string[] = [];
    const onProgress: ExperimentOptions['onProgress'] = ({ row, phase, done }) => {
      seen.push(`${row} ${phase} ${done}`);
      if (row === 'attention' && done === 2) stop.abort();
    };
    await expect(runExperiment(tiny({ onProgress, signal: stop.signal }))).rejects.toThrow(code('ABORTED'));
    expect(seen).toContain('s6 test 768');
    expect(seen.at(-1)).toBe('attention train 2');

    seen.length = 0;
    const { signal: _, ...whole } = tiny({
      onProgress: ({ row, phase, done }) => void seen.push(`${row} ${phase} ${done}`),
    });
    const result = await runExperiment(whole);
    expect(seen).toEqual([
      'attention train 3',
      'attention train 4',
      'attention test 256',
      'attention test 768',
    ]);
    const { mtimeMs } = await stat(join(folder, 'out', 'runs', 's6-seed1', 'test.json'));

    seen.length = 0;
    expect(await runExperiment(whole)).toEqual(result);
    expect(seen).toEqual([]);
    expect((await stat(join(folder, 'out', 'runs', 's6-seed1', 'test.json'))).mtimeMs).toBe(mtimeMs);
    expect(result).toEqual(await runExperiment(tiny({ out: join(folder, 'straight') })));
  });

  it('tests again what was trained on', async () => {
    await runExperiment(tiny({ rows: ['s6'] }));
    const { rows } = await runExperiment(tiny({ rows: ['s6'], steps: 6 }));
    expect(rows[0]!.runs[0]).toMatchObject({ steps: 6 });
    const { step } = JSON.parse(await read('runs/s6-seed1/test.json'));
    expect(step).toBe(rows[0]!.runs[0]!.bestStep);
  });

  it('refuses what it does not know, and another run in its folder', async () => {
    await expect(runExperiment(tiny({ name: 'sorting' as 'copying' }))).rejects.toThrow(
      /no experiment "sorting"/,
    );
    await expect(runExperiment(tiny({ rows: ['s5'] }))).rejects.toThrow(
      /no row "s5"; there are s6, s4d, attention/,
    );
    await expect(runExperiment(tiny({ seeds: [1, 1] }))).rejects.toThrow(/seeds must be different/);
    await expect(runExperiment(tiny({ seeds: [] }))).rejects.toThrow(/seeds/);
    await runExperiment(tiny({ rows: ['s6'] }));
    await expect(runExperiment(tiny({ rows: ['s6'], dModel: 6 }))).rejects.toThrow(/started with dModel 4/);
  });
});

describe('the experiments', () => {
  it.each(EXPERIMENT_NAMES)('%s: every row is trained on the same budget', async (name) => {
    const { rows, settings, testLengths } = experiment(name);
    expect(new Set(rows.map((row) => row.name)).size).toBe(rows.length);
    expect(settings).toMatchObject({ length: 256, dModel: 64, layers: 2, weightDecay: 0 });
    expect(testLengths).toEqual(
      name === 'induction-heads' ? Array.from({ length: 15 }, (_, i) => 2 ** (6 + i)) : [256],
    );
    for (const row of rows) expect(Object.keys(row.settings).sort()).not.toContain('steps');
  });

  it('takes a learning rate for all rows, or each row has its own', () => {
    const rates = (lr?: number) =>
      experiment('induction-heads', { lr }).rows.map(({ settings }) => settings.lr);
    expect(rates()).toEqual([undefined, undefined, 3e-3]);
    expect(rates(0.5)).toEqual([0.5, 0.5, 0.5]);
  });

  it('compares models of equal size', async () => {
    const count = (model: { parameters(): ReadonlyMap<string, { shape: readonly number[] }> }) =>
      [...model.parameters().values()].reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
    for (const dModel of [16, 64, 128]) {
      const config = { dModel, nLayer: 2, vocabSize: 16, padVocabSizeMultiple: 1 };
      const s6 = await MambaLM.create(config, { backend });
      const s4d = await MambaLM.create({ ...config, mixer: 's4d', dState: s4dStates(dModel) }, { backend });
      // A pair of states more or less is 4 numbers a channel.
      expect(Math.abs(count(s6) - count(s4d))).toBeLessThanOrEqual(2 * 2 * (2 * dModel));
      if (dModel === 64) {
        const attention = AttentionLM.create({ dModel, nLayer: 2, vocabSize: 16 }, { backend });
        expect(count(s4d)).toBe(count(s6));
        expect(Math.abs(count(attention) / count(s6) - 1)).toBeLessThan(0.02);
        attention.dispose();
      }
      s6.dispose();
      s4d.dispose();
    }
  });
});
