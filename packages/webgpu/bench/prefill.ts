/*
 * Prefill time per token from 256 to 4096 tokens, on the device that the tests use (SwiftShader; MAMBA_TS_WEBGPU=default for
 * this machine's GPU), with the kernels that each takes. `pnpm exec tsx --conditions=@mamba-ts/source bench/prefill.ts`
 */
import { MambaLM } from '@mamba-ts/model';
import { createWebgpuBackend } from '../src/index.js';
import { testGpu } from '../test/swiftshader.js';

const found = await testGpu();
if ('reason' in found) throw new Error(found.reason);
const backend = await createWebgpuBackend({ gpu: found.gpu });
console.log(backend.description);
const lm = await MambaLM.create({ dModel: 64, nLayer: 2, tokenizer: 'bytes' }, { backend });

const rows: object[] = [];
for (const length of [256, 512, 1024, 2048, 4096]) {
  const ids = Array.from({ length }, (_, i) => (i * 7919) % 256);
  const times: number[] = [];
  let dispatches = 0;
  // The first run compiles.
  for (let run = 0; run < 4; run++) {
    const state = lm.createState();
    await state.layers[0]!.conv.data();
    dispatches = backend.counters.dispatches;
    const start = performance.now();
    const { logits } = await lm.prefill(ids, state, { chunkSize: length });
    await logits.data();
    times.push(performance.now() - start);
    dispatches = backend.counters.dispatches - dispatches;
    logits.dispose();
    state.dispose();
  }
  const ms = times.slice(1).sort((a, b) => a - b)[1]!;
  rows.push({
    tokens: length,
    ms: ms.toFixed(0),
    'us a token': ((1000 * ms) / length).toFixed(0),
    dispatches,
  });
}
console.table(rows);
await backend.dispose();
