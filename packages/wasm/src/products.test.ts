import { dequantizeInt8, quantizeInt8 } from '@mamba-ts/backend';
import { Random } from '@mamba-ts/ssm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WasmBackend } from './backend.js';
import { PAIRS, PRODUCTS, SIGNED_QUADS, UNSIGNED_QUADS, WORDS } from './layout.js';
import { startRuntime } from './start.js';

/* What products with int8 are made of is up to the engine: here each way is asked for that is exact on this one. */

const random = new Random(3);
const signed = () => 2 * random.next() - 1;

/** x [m, k] and weights [n, k] whose sums are as large as they get, and whose last bits matter. */
const SAMPLES: Record<string, (i: number) => number> = {
  random: signed,
  'all of one sign': () => 1,
  'all of the other': () => -1,
  'one far larger': (i) => signed() * (i % 768 === 5 ? 30 : 1),
};

async function naturalProducts(relaxed: boolean): Promise<number> {
  const runtime = await startRuntime({ threads: 1, relaxed });
  const products = new Int32Array(runtime.buffer)[PRODUCTS / 4];
  await runtime.dispose();
  return products;
}

const natural = { SIMD: await naturalProducts(false), 'relaxed SIMD': await naturalProducts(true) };
/** Sums of two products of bytes are exact wherever the processor has PMADDUBSW. */
const hasPairs = process.arch === 'x64';

test('the engine is asked for what it has', () => {
  expect(natural.SIMD).toBe(WORDS);
  if (hasPairs) expect([PAIRS, UNSIGNED_QUADS]).toContain(natural['relaxed SIMD']);
});

for (const [products, name, relaxed, isHere] of [
  [WORDS, 'words', false, true],
  [WORDS, 'words', true, true],
  [PAIRS, 'pairs', true, hasPairs],
  [UNSIGNED_QUADS, 'quads, second operand unsigned', true, natural['relaxed SIMD'] === UNSIGNED_QUADS],
  [SIGNED_QUADS, 'quads, second operand signed', true, natural['relaxed SIMD'] === SIGNED_QUADS],
] as const) {
  const title = `int8 by ${name}, ${relaxed ? 'relaxed SIMD' : 'SIMD'}`;
  if (!isHere) {
    test.skip(`${title}: this engine has none`, () => {});
    continue;
  }
  describe(title, () => {
    let backend: WasmBackend;
    beforeAll(async () => {
      const runtime = await startRuntime({ threads: 1, relaxed });
      new Int32Array(runtime.buffer)[PRODUCTS / 4] = products;
      backend = new WasmBackend(runtime);
    });
    afterAll(() => backend.dispose());

    for (const [sample, value] of Object.entries(SAMPLES)) {
      test.each([
        [1, 1, 1],
        [2, 20, 3],
        [1, 16, 64],
        [8, 33, 70],
        [3, 17, 130],
        [1, 48, 768],
        [1, 16, 1535],
        [20, 40, 199],
      ])(`${sample}: %i rows, %i of %i weights`, async (m, n, k) => {
        const x = Float32Array.from({ length: m * k }, (_, i) => value(i));
        const w = Float32Array.from(
          { length: n * k },
          sample === 'random' ? signed : (_, i) => (i & 1 ? 1 : Math.abs(signed())),
        );
        const weight = backend.tensor(w, [n, k], 'int8');
        const stored = dequantizeInt8(quantizeInt8(w, n, k), n, k);
        expect(await weight.data()).toEqual(Float32Array.from(stored));
        const y = backend.ops.linear({ x: backend.tensor(x, [m, k]), weight });
        const got = await y.data();
        let largest = 0;
        let error = 0;
        for (let i = 0; i < m; i++) {
          for (let j = 0; j < n; j++) {
            let want = 0;
            for (let c = 0; c < k; c++) want += x[i * k + c] * stored[j * k + c];
            largest = Math.max(largest, Math.abs(want));
            error = Math.max(error, Math.abs(got[i * n + j] - want));
          }
        }
        expect(error).toBeLessThanOrEqual(1e-5 * largest);
      });
    }
  });
}
