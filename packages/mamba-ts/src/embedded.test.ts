import { readdir, stat } from 'node:fs/promises';
import { MambaLM } from '@mamba-ts/model';
import { inductionHeads, selectiveCopying, syntheticTask } from '@mamba-ts/train';
import { createWasmBackend } from '@mamba-ts/wasm';
import { expect, test } from 'vitest';
import { EMBEDDED_MODELS, embeddedModel } from './embedded.js';

test('the names are those of the folders, each with its card', async () => {
  const folders = await readdir(new URL('../', embeddedModel()));
  expect(folders.sort()).toEqual([...EMBEDDED_MODELS].sort());
  for (const name of EMBEDDED_MODELS) {
    const card = await stat(new URL('README.md', embeddedModel(name)));
    expect(card.size).toBeGreaterThan(500);
  }
});

test.each([
  ['induction-heads', inductionHeads({}), 8192],
  ['selective-copying', selectiveCopying({}), 2048],
] as const)('%s is right on sequences far longer than it was first taught', async (name, task, length) => {
  const folder = embeddedModel(name);
  expect((await stat(new URL('model.safetensors', folder))).size).toBeLessThan(400_000);
  const backend = await createWasmBackend();
  const lm = await MambaLM.fromPretrained(folder, { backend });
  const settings = { length: 256, batch: 1, evalLength: length, evalSequences: 4, evalSeed: 11 };
  expect((await syntheticTask(task, settings).evaluate(lm)).tokenAccuracy).toBe(1);
  lm.dispose();
  await backend.dispose();
});
