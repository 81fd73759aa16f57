import { describe, expect, test } from 'vitest';
import { noGpu, numbers, validating, webgpu } from '../test/backends.js';
import { expectCode, expectRejection } from '../test/expect-code.js';

/** Until the device has said what it has to say. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 20));

describe.skipIf(noGpu)('a lost device', () => {
  test('every later call and read says so, and what to do', async () => {
    const backend = await webgpu();
    const x = backend.tensor([1, 2], [2]);
    const pending = backend.ops.add({ a: x, b: x }).data();
    backend.device.destroy();
    await expectRejection('DEVICE_LOST', pending);
    const error = expectCode('DEVICE_LOST', () => backend.ops.add({ a: x, b: x }));
    expect(error.message).toMatch(/create a new backend/);
    expectCode('DEVICE_LOST', () => backend.tensor([1], [1]));
    expectCode('DEVICE_LOST', () => backend.zeros([1]));
    expectCode('DEVICE_LOST', () => backend.capture(() => {}));
    await expectRejection('DEVICE_LOST', x.data());
    await backend.dispose();
  });

  test('a saved state goes on, on a new backend, as if nothing had happened', async () => {
    const [channels, width] = [8, 4];
    const taps = numbers(channels * width, 1);
    const inputs = Array.from({ length: 6 }, (_, i) => numbers(channels, 10 + i));
    const start = await webgpu();
    const run = async (backend: typeof start, from: number, to: number, state: Float32Array) => {
      const s = backend.tensor(state, [1, width - 1, channels]);
      const weight = backend.tensor(taps, [channels, width]);
      const out: Float32Array[] = [];
      for (const x of inputs.slice(from, to)) {
        const y = backend.ops.causalConv1dStep({ x: backend.tensor(x, [1, channels]), weight, state: s });
        out.push((await y.data()) as Float32Array);
      }
      return { out, saved: (await s.data()) as Float32Array };
    };
    const whole = await run(start, 0, 6, new Float32Array(24));
    const first = await run(start, 0, 3, new Float32Array(24));
    start.device.destroy();
    await settle();
    expectCode('DEVICE_LOST', () => start.zeros([1]));
    const second = await run(await webgpu(), 3, 6, first.saved);
    expect([...first.out, ...second.out]).toEqual(whole.out);
    expect(second.saved).toEqual(whole.saved);
  });
});

describe('a disposed backend', () => {
  test('says DISPOSED, also for its tensors; dispose is idempotent', async () => {
    const backend = await validating();
    const x = backend.zeros([2]);
    await backend.dispose();
    await backend.dispose();
    expect(x.disposed).toBe(true);
    expect(backend.memory()).toEqual({ tensors: 0, bytes: 0 });
    expectCode('DISPOSED', () => backend.zeros([2]));
    expectCode('DISPOSED', () => backend.scope(() => {}));
    await expectRejection('DISPOSED', x.data());
  });

  test('a read that is under way is rejected', async () => {
    const backend = await validating();
    const read = backend.zeros([2]).data();
    await Promise.all([expectRejection('DISPOSED', read), backend.dispose()]);
  });

  test('leaves a device of the caller alone', async () => {
    const { device } = await validating();
    const backend = await validating({ device });
    await backend.dispose();
    const again = await validating({ device });
    expect(await again.zeros([1]).data()).toHaveLength(1);
  });
});

describe.skipIf(noGpu)('out of memory', () => {
  /** Takes memory in gibibytes until the device has no more; untouched, so that the machine does not notice. */
  async function exhaust(device: GPUDevice): Promise<GPUBuffer[] | undefined> {
    const taken: GPUBuffer[] = [];
    for (let i = 0; i < 64; i++) {
      device.pushErrorScope('out-of-memory');
      taken.push(device.createBuffer({ size: 2 ** 30, usage: 0x80 }));
      if (await device.popErrorScope()) return taken;
    }
    for (const buffer of taken) buffer.destroy();
    return undefined;
  }

  test('is reported by the next read or call, with the bytes; then work goes on', async ({ skip }) => {
    const backend = await webgpu();
    if (backend.device.limits.maxBufferSize < 2 ** 30) skip('buffers are smaller here');
    const taken = await exhaust(backend.device);
    if (!taken) return skip('this device has the memory');
    const x = backend.tensor([1, 2], [2]);
    const big = backend.zeros([2 ** 28 - 64]);
    const error = await expectRejection('OUT_OF_MEMORY', backend.ops.silu({ x }).data());
    expect(error.details['bytes']).toBeGreaterThan(2 ** 29);
    expect(error.message).toMatch(/Dispose tensors/);
    // The tensor stays unusable, others are not touched.
    expectCode('OUT_OF_MEMORY', () => backend.ops.silu({ x: big }));
    await expectRejection('OUT_OF_MEMORY', big.data());
    big.dispose();
    for (const buffer of taken) buffer.destroy();
    expect([...(await backend.ops.add({ a: x, b: x }).data())]).toEqual([2, 4]);
  });
});

test('what the device refuses is thrown once, by the next call', async () => {
  const backend = await validating();
  backend.device.createShaderModule({ code: 'nonsense' });
  await settle();
  const error = expectCode('UNSUPPORTED_DEVICE', () => backend.zeros([1]));
  expect(error.message).toMatch(/nonsense/);
  expect(backend.zeros([1]).shape).toEqual([1]);
});
