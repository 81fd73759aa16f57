import { expect, test } from 'vitest';
import { openLimitProbe } from './limits.js';
import { limitsModule } from './limits-module.js';

test('the module computes what it is said to', async () => {
  const { instance } = await WebAssembly.instantiate(limitsModule(false, 2));
  const { fma, read, memory } = instance.exports as {
    fma(rounds: number): number;
    read(bytes: number): number;
    memory: WebAssembly.Memory;
  };
  // 12 chains, each the sum of 1.0001 * 1e-9 over the rounds.
  expect(fma(8000)).toBeCloseTo(12 * 8000 * 1e-9 * 1.0001, 7);
  // Lane 0 of every vector of 16 bytes.
  new Int32Array(memory.buffer).fill(3);
  expect(read(65536)).toBe((65536 / 16) * 3);
});

test('limits are those of a processor, as often as asked for', async () => {
  const probe = await openLimitProbe(2);
  for (let i = 0; i < 2; i++) {
    expect(await probe.measure('flops')).toBeGreaterThan(1e8);
    expect(await probe.measure('bandwidth')).toBeGreaterThan(1e8);
  }
  await probe.close();
});
