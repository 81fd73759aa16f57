/*
 * Puts a trained model into the `mamba-ts` package: weights in f16, its card and curves beside them.
 *   pnpm exec tsx scripts/embed-model.ts RUN NAME      RUN: a folder of `mamba-ts train`, NAME: a folder of models/
 */
import { copyFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createCpuBackend } from '../packages/cpu/dist/index.js';
import { MambaLM } from '../packages/model/dist/index.js';
import { root } from './workspace.js';

const [run, name] = process.argv.slice(2);
if (run === undefined || name === undefined) throw new Error('usage: embed-model.ts RUN NAME');
const folder = join(root, 'packages/mamba-ts/models', name);
const backend = await createCpuBackend();
const lm = await MambaLM.fromPretrained(run, { backend });
await lm.save(folder, { dtype: 'f16' });
await backend.dispose();
copyFileSync(join(run, 'metrics.jsonl'), join(folder, 'metrics.jsonl'));
copyFileSync(join(run, 'options.json'), join(folder, 'options.json'));
console.log(`${folder}: ${statSync(join(folder, 'model.safetensors')).size} bytes of weights`);
