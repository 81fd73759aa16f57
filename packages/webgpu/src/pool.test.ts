import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expectCode } from '../test/expect-code.js';
import { nullGpu } from '../test/swiftshader.js';
import { DeviceErrors } from './errors.js';
import { type Loan, Pool, sizeClass } from './pool.js';

test('sizeClass holds what is asked for, wastes at most an eighth, and is a fixed point', () => {
  fc.assert(
    fc.property(fc.integer({ min: 257, max: 2 ** 40 }), (bytes) => {
      const size = sizeClass(bytes);
      expect(size).toBeGreaterThanOrEqual(bytes);
      expect(size % 16).toBe(0);
      expect(size - bytes).toBeLessThan(Math.max(256, bytes / 8 + 1));
      expect(sizeClass(size)).toBe(size);
    }),
  );
  expect(sizeClass(0)).toBe(256);
});

describe('Pool', () => {
  async function make(maxBytes = 2 ** 27) {
    const gpu = await nullGpu();
    const device = await (await gpu.requestAdapter())!.requestDevice();
    const forgotten: Loan[] = [];
    const pool = new Pool(device, new DeviceErrors(device), maxBytes, (loan) => forgotten.push(loan));
    return { pool, forgotten };
  }

  test('lends a buffer again that was given back, of the same size class', async () => {
    const { pool } = await make();
    const first = pool.lend(1000);
    pool.release(first);
    expect(pool.lend(1024)).toBe(first);
    expect(pool.lend(1024)).not.toBe(first);
    expect(pool.made).toBe(2);
  });

  test('a buffer goes back when its last holder and its last pin are gone', async () => {
    const { pool } = await make();
    const loan = pool.lend(16);
    loan.holders++;
    loan.pins++;
    pool.release(loan);
    pool.release(loan);
    expect(pool.lend(16)).not.toBe(loan);
    pool.unpin(loan);
    expect(pool.lend(16)).toBe(loan);
  });

  test('trim destroys what is free, and only that', async () => {
    const { pool, forgotten } = await make();
    const [kept, free] = [pool.lend(16), pool.lend(16)];
    pool.release(free);
    pool.trim();
    expect(forgotten).toEqual([free]);
    pool.release(kept);
    expect(pool.lend(16)).toBe(kept);
  });

  test('what is more than the device binds is refused with both figures', async () => {
    const { pool } = await make(4096);
    expect(pool.lend(4096).bytes).toBe(4096);
    const error = expectCode('OUT_OF_MEMORY', () => pool.lend(4097));
    expect(error.details).toEqual({ bytes: 4097, limit: 4096 });
    expect(error.message).toMatch(/^tensor needs a buffer/);
  });
});
