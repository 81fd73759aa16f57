import { MambaError } from '@mamba-ts/backend';
import { EXPERIMENT_NAMES, type ExperimentName, markdownTable, runExperiment } from '@mamba-ts/train';
import { BACKEND_OPTIONS, JSON_OPTION, openBackend } from './model.js';
import type { Values } from './options.js';
import { Progress } from './progress.js';
import type { Verb } from './verb.js';

export const experiment: Verb = {
  name: 'experiment',
  summary: "the paper's synthetic experiments: trains, tests, writes figures, a table and a plot",
  example: 'mamba-ts experiment induction-heads --out induction-heads --seeds 1,2,3',
  argument: 'name',
  options: {
    name: {
      kind: 'text',
      help: 'which one; --name may be left out',
      choices: EXPERIMENT_NAMES,
      required: true,
    },
    out: {
      kind: 'text',
      value: 'DIR',
      help: 'folder for result.json, table.md, plot.svg and the runs; what is finished there is not repeated',
      required: true,
    },
    seeds: { kind: 'text', value: 'LIST', help: 'one run a row and seed', fallback: '1,2,3' },
    rows: { kind: 'text', value: 'LIST', help: 'only these, say s6,s4d; all unless given' },
    quick: { kind: 'flag', help: 'a tiny model and few steps, to see it work; its figures mean nothing' },
    steps: { kind: 'integer', help: 'optimiser steps of each run', min: 1 },
    batch: { kind: 'integer', help: 'sequences a batch', min: 1 },
    length: { kind: 'integer', help: 'tokens a training sequence', min: 2 },
    'min-length': { kind: 'integer', help: 'mixed training lengths from here to --length', min: 1 },
    lr: { kind: 'number', help: 'learning rate', min: 0 },
    'd-model': { kind: 'integer', help: 'width', min: 1 },
    'test-tokens': { kind: 'integer', help: 'tokens of a test (4 to 256 sequences) [1048576]', min: 1 },
    'max-test-length': {
      kind: 'integer',
      help: 'longest test sequence (induction-heads) [1048576]',
      min: 64,
    },
    ...BACKEND_OPTIONS,
    ...JSON_OPTION,
  },
  async run(values, io) {
    const out = values.text('out') as string;
    const seeds = parseSeeds(values);
    const progress = new Progress(io);
    const backend = await openBackend(values);
    try {
      const result = await runExperiment({
        backend,
        name: values.text('name') as ExperimentName,
        out,
        seeds,
        rows: values.text('rows')?.split(','),
        quick: values.flag('quick'),
        steps: values.number('steps'),
        batch: values.number('batch'),
        length: values.number('length'),
        minLength: values.number('min-length'),
        lr: values.number('lr'),
        dModel: values.number('d-model'),
        testTokens: values.number('test-tokens'),
        maxTestLength: values.number('max-test-length'),
        signal: io.signal,
        onProgress: ({ row, seed, phase, done, total, run, runs, value }) => {
          const what = phase === 'train' ? `step ${done}, loss` : `${done} tokens tested, accuracy`;
          const label = `${row}, seed ${seed} (run ${run + 1} of ${runs}): ${what} ${value?.toFixed(3)}`;
          progress.show(label, run + (phase === 'train' ? 0 : 0.5) + done / total / 2, runs);
        },
      });
      progress.clear();
      if (values.flag('json')) io.out(`${JSON.stringify(result)}\n`);
      else
        io.out(
          `${result.title}\n\n${markdownTable(result)}\nresult.json, table.md and plot.svg are in ${out}\n`,
        );
    } finally {
      progress.clear();
      await backend.dispose();
    }
  },
};

function parseSeeds(values: Values): number[] {
  const list = values.text('seeds') as string;
  const seeds = list.split(',').map((seed) => (/^\d+$/.test(seed) ? Number(seed) : Number.NaN));
  if (!seeds.every(Number.isSafeInteger)) {
    throw new MambaError(
      'INVALID_ARGUMENT',
      `--seeds must be whole numbers with commas between; got "${list}"`,
    );
  }
  return seeds;
}
