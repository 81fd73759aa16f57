/*
 * How far the embedded model's predictions move when its weights are narrowed, on a text: KL against f32, in nats a token.
 *
 *   npx tsx packages/wasm/bench/divergence.ts FILE [share of its end, 0.1]
 */
import { readFileSync } from 'node:fs';
import { createWasmBackend } from '../src/index.js';
import { divergence } from '../test/divergence.js';

const file = readFileSync(process.argv[2]);
const share = Number(process.argv[3] ?? 0.1);
const text = file.subarray(Math.floor(file.length * (1 - share)));
const backend = await createWasmBackend();
for (const dtype of ['f16', 'bf16', 'int8'] as const) {
  const { mean, largest, tokens } = await divergence(backend, dtype, text);
  console.log(
    `${dtype}: KL ${mean.toExponential(2)} nats a token, at most ${largest.toExponential(2)}, ${tokens} tokens`,
  );
}
await backend.dispose();
