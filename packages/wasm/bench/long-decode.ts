/*
 * One sequence, a million tokens: memory must not grow by a byte, and the last tokens must take no longer than the first.
 *
 *   npx tsx packages/wasm/bench/long-decode.ts [tokens] [threads] [model folder]
 */
import { MambaLM } from '@mamba-ts/model';
import { createWasmBackend } from '../src/index.js';

const tokens = Number(process.argv[2] ?? 1_000_000);
const threads = Number(process.argv[3] ?? 1);
const folder = process.argv[4] ?? new URL('../../mamba-ts/models/tiny-shakespeare/', import.meta.url);
const tenth = Math.floor(tokens / 10);
const batch = Math.max(1, Math.floor(tenth / 100));

// The linear memory of the backend is the one that grows.
let grown = 0;
const { grow } = WebAssembly.Memory.prototype;
WebAssembly.Memory.prototype.grow = function (pages) {
  grown += pages * 65536;
  return grow.call(this, pages);
};

const backend = await createWasmBackend({ threads });
const lm = await MambaLM.fromPretrained(folder, { backend });
const state = lm.createState();
let token = 10;
let ids = 0;

/** Decodes greedily; milliseconds of a token, the median of the batches. */
async function decode(count: number): Promise<number> {
  const each: number[] = [];
  for (let done = 0; done < count; done += batch) {
    const start = performance.now();
    for (let i = 0; i < batch; i++) {
      const { logits } = lm.step([token], state);
      const best = backend.ops.argmax({ x: logits });
      [token] = await best.data();
      best.dispose();
      logits.dispose();
      ids = (31 * ids + token) | 0;
    }
    each.push((performance.now() - start) / batch);
  }
  return each.sort((a, b) => a - b)[each.length >> 1];
}

const memory = () => {
  const { tensors, bytes } = backend.memory();
  return `${tensors} tensors, ${bytes} bytes; linear memory grown by ${grown}; state of ${state.bytes} bytes`;
};

console.log(`Node ${process.versions.node}, ${backend.description}, ${tokens} tokens, greedily`);
await decode(batch);
for (let part = 1; part <= 10; part++) {
  const ms = await decode(tenth);
  const { heapUsed, rss } = process.memoryUsage();
  console.log(
    `tenth ${part}: ${ms.toFixed(4)} ms a token; ${memory()}; heap ${(heapUsed / 1e6).toFixed(1)} MB, rss ${(rss / 1e6).toFixed(0)} MB`,
  );
}
console.log(`position ${state.position}, checksum of the tokens ${ids >>> 0}`);
state.dispose();
lm.dispose();
await backend.dispose();
