import { MambaLM } from '@mamba-ts/model';
import { expect, onTestFinished, test } from 'vitest';
import { testGeneration } from '../../model/test/generation.js';
import { createWasmBackend } from '../src/index.js';

async function wasm() {
  const backend = await createWasmBackend({ threads: 2 });
  onTestFinished(() => backend.dispose());
  return backend;
}

testGeneration(undefined, wasm);

test('no token is computed before it is asked for', async () => {
  const lm = await MambaLM.create({ dModel: 16, nLayer: 2, vocabSize: 24 }, { backend: await wasm() });
  const state = lm.createState();
  const positions: number[] = [];
  for await (const _ of lm.generate([1, 2], { state, maxTokens: 4 })) positions.push(state.position);
  expect([...positions, state.position]).toEqual([2, 3, 4, 5, 6]);
});
