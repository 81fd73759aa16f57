import { FLOPS_PER_ROUND, limitsModule } from './limits-module.js';

/** What the processor can do at most under WebAssembly, measured. */
export interface Limits {
  /** Floating-point operations a second: 128-bit multiply-adds that wait for nothing. */
  readonly flops: number;
  /** Bytes a second read from memory, out of reach of the caches. */
  readonly bandwidth: number;
}

/** Far more than the caches hold. */
const BYTES = 512 << 20;
const PAGE = 65536;
const SLICE_MS = 400;

/**
 * Runs in each worker: the best of many short runs, while the other threads do the same. Short, because on a shared machine
 * only a short run is undisturbed.
 */
const WORKER = `
const { parentPort, workerData: { module, bytes, rounds, ms } } = require('node:worker_threads');
const { fma, read, memory } = new WebAssembly.Instance(module).exports;
// Pages that were never written are all one page of zeros, which a cache holds.
new Uint8Array(memory.buffer).fill(1);
const best = (run, size) => {
  // Many small calls first, until the engine has put its optimised code in place.
  for (const end = performance.now() + ms; performance.now() < end;) run(4096);
  let seconds = Infinity;
  for (const end = performance.now() + ms; performance.now() < end;) {
    const start = performance.now();
    run(size);
    seconds = Math.min(seconds, (performance.now() - start) / 1e3);
  }
  return size / seconds;
};
parentPort.once('message', () => parentPort.postMessage({ rounds: best(fma, rounds), bandwidth: best(read, bytes) }));
parentPort.postMessage('ready');
`;

/** Measures the limits of this many threads together. Node only. */
export async function measureLimits(threads: number): Promise<Limits> {
  const { Worker } = await import('node:worker_threads');
  const bytes = Math.floor(BYTES / threads / PAGE) * PAGE;
  const module = await compile(bytes / PAGE);
  const workers = Array.from(
    { length: threads },
    () => new Worker(WORKER, { eval: true, workerData: { module, bytes, rounds: 1 << 20, ms: SLICE_MS } }),
  );
  try {
    const message = (worker: (typeof workers)[number]) =>
      new Promise<{ rounds: number; bandwidth: number }>((resolve, reject) => {
        worker.once('message', resolve);
        worker.once('error', reject);
      });
    await Promise.all(workers.map(message));
    const answers = workers.map(message);
    for (const worker of workers) worker.postMessage('go');
    const measured = await Promise.all(answers);
    const sum = (value: (one: { rounds: number; bandwidth: number }) => number) =>
      measured.reduce((total, one) => total + value(one), 0);
    return {
      flops: FLOPS_PER_ROUND * sum(({ rounds }) => rounds),
      bandwidth: sum(({ bandwidth }) => bandwidth),
    };
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

/** With fused multiply-add where the engine has it. Node 20 has it behind a flag, Node 22 and later without. */
async function compile(pages: number): Promise<WebAssembly.Module> {
  const relaxed = limitsModule(true, pages);
  if (!WebAssembly.validate(relaxed) && process.versions.node.startsWith('20.')) {
    const { setFlagsFromString } = await import('node:v8');
    setFlagsFromString('--experimental-wasm-relaxed-simd');
  }
  return WebAssembly.compile(WebAssembly.validate(relaxed) ? relaxed : limitsModule(false, pages));
}
