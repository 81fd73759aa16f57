/*
 * Puts a trained model into the `mamba-ts` package: every tensor in f16, with the run's options and curves beside it.
 *   pnpm exec tsx scripts/embed-model.ts RUN NAME      RUN: a folder of `mamba-ts train`, NAME: a folder of models/
 */
import { copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { narrow } from '../packages/backend/dist/index.js';
import { openCheckpoint, writeSafetensors } from '../packages/checkpoint/dist/index.js';
import { root } from './workspace.js';

const [run, name] = process.argv.slice(2);
if (run === undefined || name === undefined) throw new Error('usage: embed-model.ts RUN NAME');
const folder = join(root, 'packages/mamba-ts/models', name);
mkdirSync(folder, { recursive: true });

const checkpoint = await openCheckpoint(run);
const weights = join(folder, 'model.safetensors');
await writeSafetensors(
  weights,
  [...checkpoint.tensors].map(([tensor, { shape }]) => [
    tensor,
    {
      dtype: 'f16' as const,
      shape,
      data: async () => narrow((await checkpoint.read(tensor)).data as Float32Array, 'f16'),
    },
  ]),
  { format: 'pt' },
);
copyFileSync(join(run, 'config.json'), join(folder, 'config.json'));
// Every evaluation, and as many steps as a curve shows.
const metrics = readFileSync(join(run, 'metrics.jsonl'), 'utf8').trim().split('\n');
const every = Math.ceil(metrics.length / 1000);
const kept = metrics.filter((line, i) => i % every === 0 || 'validationLoss' in JSON.parse(line));
writeFileSync(join(folder, 'metrics.jsonl'), `${kept.join('\n')}\n`);
// Where the data lay on one machine says nothing: its hash does.
const options = JSON.parse(readFileSync(join(run, 'options.json'), 'utf8'));
if (options.data !== undefined) options.data = basename(options.data);
writeFileSync(join(folder, 'options.json'), `${JSON.stringify(options, null, 2)}\n`);
console.log(`${weights}: ${statSync(weights).size} bytes`);
