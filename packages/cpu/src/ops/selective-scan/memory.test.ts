import { afterEach, describe, expect, it, vi } from 'vitest';
import { createCpuBackend } from '../../index.js';

afterEach(() => vi.unstubAllGlobals());

/** Bytes of all the buffers that typed arrays allocate while `run` does its work: no less than what lives at its peak. */
async function allocated(run: () => Promise<void>): Promise<number> {
  let bytes = 0;
  for (const name of ['Float32Array', 'Float64Array', 'Int32Array'] as const) {
    const counting = new Proxy(globalThis[name], {
      construct(target, args) {
        const array = Reflect.construct(target, args) as Float64Array;
        if (!(args[0] instanceof ArrayBuffer)) bytes += array.byteLength;
        return array;
      },
    });
    vi.stubGlobal(name, counting);
  }
  await run();
  vi.unstubAllGlobals();
  return bytes;
}

const [CHANNELS, STATE_SIZE] = [256, 16];

/** Inputs, outputs, their gradients and all that is held in between, with every option but packing. */
async function forwardAndBackward(length: number): Promise<void> {
  const backend = await createCpuBackend();
  const { ops } = backend;
  const filled = (shape: number[], value: number) => ops.fill({ shape, value });
  const sequence = [1, length, CHANNELS];
  const inputs = {
    u: filled(sequence, 0.5),
    delta: filled(sequence, -2),
    A: filled([CHANNELS, STATE_SIZE], -1),
    B: filled([1, length, STATE_SIZE], 0.5),
    C: filled([1, length, STATE_SIZE], 0.5),
    D: filled([CHANNELS], 1),
    z: filled(sequence, 1),
    deltaBias: filled([CHANNELS], 0.5),
    initialState: filled([1, CHANNELS, STATE_SIZE], 1),
    softplus: true,
  };
  const { y, lastState } = ops.selectiveScan(inputs);
  const dy = filled(sequence, 1);
  const { du } = ops.selectiveScanBackward(inputs, { dy, dLastState: lastState });
  expect([y.shape, du.shape]).toEqual([sequence, sequence]);
  await backend.dispose();
}

describe('memory of selectiveScan and its backward', () => {
  it('stays under 12 f32 tensors of [L, D], where storing the states would take 16 more', async () => {
    const sequenceBytes = (length: number) => 4 * length * CHANNELS;
    const short = await allocated(() => forwardAndBackward(1024));
    const long = await allocated(() => forwardAndBackward(8192));
    expect(long).toBeLessThan(12 * sequenceBytes(8192));
    // Eight sequences, u to dz, are the least that a call can hold; so the count has seen them.
    expect(long).toBeGreaterThan(8 * sequenceBytes(8192));
    // Eight times as long, at most eight times as much.
    expect(long).toBeLessThan(8 * short);
  });
});
