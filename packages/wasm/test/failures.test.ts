import { type Backend, type ErrorCode, MambaError } from '@mamba-ts/backend';
import { MambaLM } from '@mamba-ts/model';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { createWasmBackend, type WasmBackendOptions } from '../src/index.js';

const threads = process.getBuiltinModule('node:worker_threads');
const { Worker } = threads;

/** Every worker that was started, so that a test can end one as a crash would. */
const started: InstanceType<typeof Worker>[] = [];
class Watched extends Worker {
  constructor(...args: ConstructorParameters<typeof Worker>) {
    super(...args);
    started.push(this);
  }
}
beforeAll(() => {
  threads.Worker = Watched;
});
afterAll(() => {
  threads.Worker = Worker;
});

const open: Backend[] = [];
async function create(options?: WasmBackendOptions): Promise<Backend> {
  const backend = await createWasmBackend(options);
  open.push(backend);
  return backend;
}

afterEach(async () => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  await Promise.all(open.splice(0).map((backend) => backend.dispose()));
  // Whatever a test did, no thread is left behind.
  expect(started.splice(0).filter(({ threadId }) => threadId !== -1)).toEqual([]);
});

function errorOf(run: () => unknown): MambaError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(MambaError);
    return error as MambaError;
  }
  throw new Error('nothing was thrown');
}
const codeOf = (run: () => unknown): ErrorCode => errorOf(run).code;

describe('a worker that is killed', () => {
  test('in the middle of an op is DEVICE_LOST, soon, and nothing hangs', { retry: 5 }, async () => {
    // As many pieces as threads, more threads than cores: this thread is done first and waits for the others.
    const pieces = 4;
    const backend = await create({ threads: pieces, patience: 300 });
    const [length, channels] = [10_000, 16 * pieces];
    const u = backend.zeros([1, length, channels]);
    const A = backend.zeros([channels, 16]);
    const B = backend.zeros([1, length, 16]);
    const scan = () => backend.scope(() => void backend.ops.selectiveScan({ u, delta: u, A, B, C: B }));
    scan();
    const before = backend.memory();
    const gone: Promise<number>[] = [];
    // It looks at the clock only where it waits.
    const now = performance.now.bind(performance);
    vi.spyOn(performance, 'now').mockImplementation(() => {
      if (gone.length === 0) gone.push(...started.map((worker) => worker.terminate()));
      return now();
    });
    const error = errorOf(() => {
      for (let i = 0; gone.length === 0 && i < 100; i++) scan();
    });
    expect(error.code).toBe('DEVICE_LOST');
    expect(error.message).toMatch(/no progress for .* pieces of a job unfinished/);
    // The op that failed left nothing behind, and later ones fail at once.
    expect(backend.memory()).toEqual(before);
    expect(codeOf(() => backend.zeros([1]))).toBe('DEVICE_LOST');
    expect(codeOf(scan)).toBe('DEVICE_LOST');
    await expect(u.data()).rejects.toMatchObject({ code: 'DEVICE_LOST' });
    await Promise.all(gone);
    await backend.dispose();
    expect(backend.memory()).toEqual({ tensors: 0, bytes: 0 });
  });

  test('between ops is DEVICE_LOST at the next one', async () => {
    const backend = await create({ threads: 2 });
    await started[0].terminate();
    expect(codeOf(() => backend.zeros([4]))).toBe('DEVICE_LOST');
  });

  test('leaves other backends alone', async () => {
    const [lost, well] = [await create({ threads: 2 }), await create({ threads: 2 })];
    await started[0].terminate();
    expect(codeOf(() => lost.zeros([1]))).toBe('DEVICE_LOST');
    const x = well.tensor(new Float32Array(90_000).fill(1), [300, 300]);
    expect((await well.ops.linear({ x, weight: x }).data())[0]).toBe(300);
  });
});

describe('memory that is exhausted', () => {
  test.each([1, 2])('%i thread(s): OUT_OF_MEMORY with bytes and limit, then all goes on', async (threads) => {
    const memoryLimit = 8 << 20;
    const backend = await create({ threads, memoryLimit });
    const x = backend.tensor(new Float32Array(1 << 20).fill(0.5), [1024, 1024]);
    const before = backend.memory();
    const error = errorOf(() => backend.zeros([1 << 20]));
    expect(error.code).toBe('OUT_OF_MEMORY');
    expect(error.details).toMatchObject({ bytes: 4 << 20, limit: memoryLimit });
    expect(error.message).toMatch(/scope|memoryLimit/);
    expect(backend.memory()).toEqual(before);
    // Fails between its allocations: 3 MB fit, then 4 MB of packed x do not.
    const weight = backend.zeros([8, 1024]);
    for (let i = 0; i < 20; i++) {
      expect(codeOf(() => backend.ops.linear({ x, weight: x }))).toBe('OUT_OF_MEMORY');
      expect(codeOf(() => backend.ops.linearBackward({ x, weight }, { dy: x }))).toMatch(
        /OUT_OF_MEMORY|SHAPE/,
      );
    }
    weight.dispose();
    expect(backend.memory()).toEqual(before);
    // What the failures held is there again.
    const y = backend.zeros([700_000]);
    expect((await backend.ops.exp({ x: backend.zeros([64]) }).data())[63]).toBe(1);
    y.dispose();
    x.dispose();
    backend.zeros([1 << 20]).dispose();
  });

  test('a model that does not fit leaves nothing', async () => {
    const backend = await create({ threads: 1, memoryLimit: 4 << 20 });
    const config = { dModel: 256, nLayer: 8, vocabSize: 1000 };
    await expect(MambaLM.create(config, { backend })).rejects.toMatchObject({ code: 'OUT_OF_MEMORY' });
    expect(backend.memory()).toEqual({ tensors: 0, bytes: 0 });
  });
});

describe('dispose', () => {
  test('while a prompt is read and while values are awaited', async () => {
    const backend = await create({ threads: 2 });
    const lm = await MambaLM.create({ dModel: 64, nLayer: 2, vocabSize: 100 }, { backend });
    const ids = Array.from({ length: 4000 }, (_, i) => i % 100);
    const state = lm.createState();
    const reading = lm.prefill(ids, state, { chunkSize: 50 });
    const writing = lm.complete([1, 2, 3], { maxTokens: 10_000 });
    const failed = Promise.all([
      expect(reading).rejects.toMatchObject({ code: 'DISPOSED' }),
      expect(writing).rejects.toMatchObject({ code: 'DISPOSED' }),
    ]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const x = backend.zeros([4]);
    const waiting = x.data();
    await backend.dispose();
    expect(await waiting).toEqual(new Float32Array(4));
    await failed;
    expect(backend.memory()).toEqual({ tensors: 0, bytes: 0 });
    expect(codeOf(() => backend.ops.silu({ x }))).toBe('DISPOSED');
    expect(codeOf(() => backend.zeros([1]))).toBe('DISPOSED');
    await expect(x.data()).rejects.toMatchObject({ code: 'DISPOSED' });
    await backend.dispose();
  });

  test('twice at once ends every thread', async () => {
    const backend = await create({ threads: 4 });
    await Promise.all([backend.dispose(), backend.dispose()]);
    expect(started.every(({ threadId }) => threadId === -1)).toBe(true);
  });
});

test('backends made at the same moment have the threads and instructions that they would have alone', async () => {
  const alone = await createWasmBackend({ threads: 2 });
  const made = await Promise.all([1, 2, 2].map((threads) => createWasmBackend({ threads })));
  expect(made.map((backend) => backend.description)).toEqual([
    alone.description.replace('2 threads', '1 thread'),
    alone.description,
    alone.description,
  ]);
  for (const backend of [alone, ...made]) await backend.dispose();
});

test('two backends side by side know nothing of each other', async () => {
  const [a, b] = [await create({ threads: 2 }), await create({ threads: 3, relaxed: false })];
  const product = async (backend: Backend, value: number) => {
    const x = backend.tensor(new Float32Array(200 * 200).fill(value), [200, 200]);
    const y = backend.ops.linear({ x, weight: x });
    return (await y.data())[39_999];
  };
  for (let i = 1; i < 20; i++) {
    expect(await Promise.all([product(a, i), product(b, -i)])).toEqual([200 * i * i, 200 * i * i]);
  }
  const x = a.zeros([4]);
  const foreign = errorOf(() => b.ops.silu({ x }));
  expect(foreign.code).toBe('INVALID_ARGUMENT');
  expect(foreign.message).toMatch(/another backend/);
  const held = b.memory();
  await a.dispose();
  expect(b.memory()).toEqual(held);
  expect(await product(b, 3)).toBe(1800);
});

test('without shared memory there is one thread, and it says so once', async () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
  vi.stubGlobal('SharedArrayBuffer', undefined);
  for (let i = 0; i < 3; i++) {
    const backend = await create({ threads: 2 });
    expect(backend.description).toMatch(/1 thread$/);
    const x = backend.tensor(new Float32Array(90_000).fill(1), [300, 300]);
    expect((await backend.ops.linear({ x, weight: x }).data())[5]).toBe(300);
  }
  // Who asks for one thread is told nothing.
  await create({ threads: 1 });
  expect(warn.mock.calls.map(([message]) => message)).toEqual([
    expect.stringMatching(/one thread.*Cross-Origin-Opener-Policy/),
  ]);
});

test.each<[WasmBackendOptions, RegExp]>([
  [{ threads: 0 }, /threads must be a whole number from 1/],
  [{ threads: 1.5 }, /threads .* got 1.5/],
  [{ threads: Number.NaN }, /threads/],
  [{ threads: 1000 }, /threads/],
  [{ threads: '2' as unknown as number }, /threads/],
  [{ memoryLimit: 1000 }, /memoryLimit must be at least 1 MiB/],
  [{ memoryLimit: Number.NaN }, /memoryLimit/],
  [{ patience: 0 }, /patience must be above 0/],
])('options %o are refused', async (options, message) => {
  const error = await createWasmBackend(options).catch((error: unknown) => error);
  expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringMatching(message) });
});

test('an engine without SIMD, or without relaxed SIMD where it was asked for, is UNSUPPORTED_DEVICE', async () => {
  const { validate } = WebAssembly;
  vi.spyOn(WebAssembly, 'validate').mockImplementation(
    (bytes) => (bytes as Uint8Array).length < 30 && validate(bytes),
  );
  await expect(createWasmBackend({ relaxed: true })).rejects.toMatchObject({
    code: 'UNSUPPORTED_DEVICE',
    message: expect.stringMatching(/relaxed/),
  });
  const backend = await create({ threads: 1 });
  expect(backend.description).not.toMatch(/relaxed/);
  vi.spyOn(WebAssembly, 'validate').mockReturnValue(false);
  await expect(createWasmBackend()).rejects.toMatchObject({
    code: 'UNSUPPORTED_DEVICE',
    message: expect.stringMatching(/cpu backend/),
  });
});
