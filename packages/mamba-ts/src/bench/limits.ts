import { FLOPS_PER_ROUND, limitsModule } from './limits-module.js';

/** What the processor can do at most under WebAssembly, measured. */
export interface Limits {
  /** Floating-point operations a second: 128-bit multiply-adds that wait for nothing. */
  readonly flops: number;
  /** Bytes a second read from memory, out of reach of the caches. */
  readonly bandwidth: number;
}

/**
 * Measures a limit whenever asked to, some tenth of a second at a time: other programs on the machine, or on its host, move
 * the limits by half within seconds, so what is held against one must have it measured right before and after.
 */
export interface LimitProbe {
  measure(kind: keyof Limits): Promise<number>;
  close(): Promise<void>;
}

/** Far more than the caches hold. */
const BYTES = 512 << 20;
const PAGE = 65536;
/** A window in which all threads do the same, and how many of them there are: the best one counts. */
const WINDOW_MS = 25;
const WINDOWS = 3;
/** Before the first measurement, until the engine has put its optimised code in place. */
const WARM_MS = 400;

/** Runs in each worker: an average over a window. */
const WORKER = `
const { parentPort, workerData: { module, bytes, warm } } = require('node:worker_threads');
const { fma, read, memory } = new WebAssembly.Instance(module).exports;
// Pages that were never written are all one page of zeros, which a cache holds.
new Uint8Array(memory.buffer).fill(1);
const sizes = { flops: [fma, 1 << 18], bandwidth: [read, bytes] };
// Many small calls, not few long ones, tell the engine to optimise.
for (const [run] of Object.values(sizes)) for (const end = performance.now() + warm; performance.now() < end;) run(4096);
parentPort.on('message', ({ kind, ms }) => {
  const [run, size] = sizes[kind];
  const start = performance.now();
  let done = 0;
  do {
    run(size);
    done += size;
  } while (performance.now() - start < ms);
  parentPort.postMessage(done / (performance.now() - start) * 1e3);
});
parentPort.postMessage('ready');
`;

/** A probe of the limits of this many threads together. Node only. */
export async function openLimitProbe(threads: number): Promise<LimitProbe> {
  const [{ Worker }, { EventEmitter }] = await Promise.all([
    import('node:worker_threads'),
    import('node:events'),
  ]);
  const bytes = Math.floor(BYTES / threads / PAGE) * PAGE;
  const module = await compile(bytes / PAGE);
  const workers = Array.from(
    { length: threads },
    () => new Worker(WORKER, { eval: true, workerData: { module, bytes, warm: WARM_MS } }),
  );
  const answers = () =>
    Promise.all(workers.map(async (worker) => (await EventEmitter.once(worker, 'message'))[0] as number));
  const close = async () => {
    await Promise.all(workers.map((worker) => worker.terminate()));
  };
  try {
    await answers();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    async measure(kind) {
      let best = 0;
      for (let i = 0; i < WINDOWS; i++) {
        const rates = answers();
        for (const worker of workers) worker.postMessage({ kind, ms: WINDOW_MS });
        best = Math.max(
          best,
          (await rates).reduce((total, rate) => total + rate, 0),
        );
      }
      return kind === 'flops' ? FLOPS_PER_ROUND * best : best;
    },
    close,
  };
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
