import { PEAK, READ } from './kernel-ids.js';
import type { Job } from './runtime.js';
import { startRuntime, type WasmBackendOptions } from './start.js';

/** What this machine can do at most from WebAssembly. */
export interface WasmLimits {
  readonly threads: number;
  /** Floating point operations a second with nothing but multiply-adds on four lanes, in 1e9. */
  readonly gflops: number;
  /** Bytes a second read, in order, from an array that no cache holds, in 1e9. */
  readonly readGBps: number;
}

export interface LimitProbe {
  /** Measures once more (some 30 ms) and returns the best so far. */
  measure(): WasmLimits;
  dispose(): Promise<void>;
}

const STEPS = 20_000;
const FLOPS_PER_STEP = 12 * 4 * 2;
const CHUNK = 1 << 20;

/**
 * Measures the limits that a benchmark's figures are shares of, whenever asked to: on a shared machine they must be
 * measured in between the figures. `bytes`: size of the array to read, 256 MiB unless said. Throws as `createWasmBackend`.
 */
export async function createLimitProbe({
  bytes = 1 << 28,
  ...options
}: WasmBackendOptions & { readonly bytes?: number } = {}): Promise<LimitProbe> {
  const runtime = await startRuntime(options);
  const { threads } = runtime;
  const pieces = 8 * threads;
  const results = runtime.empty([4 * Math.max(pieces, bytes / CHUNK)]);
  const factors = runtime.empty([8]);
  factors.raw().set([1, 1, 1, 1, 1e-9, 1e-9, 1e-9, 1e-9]);
  const array = runtime.empty([bytes / 4], 'i32');
  // Memory that was never written has no pages of its own to read.
  array.raw().fill(1);
  const work = Number.POSITIVE_INFINITY;
  const time = (job: Job) => {
    const start = performance.now();
    runtime.run(job);
    return performance.now() - start;
  };
  const flops: Job = { kernel: PEAK, pieces, ints: [factors.address, STEPS, results.address], work };
  const reads: Job = {
    kernel: READ,
    pieces: bytes / CHUNK,
    ints: [array.address, CHUNK, results.address],
    work,
  };
  let best: WasmLimits = { threads, gflops: 0, readGBps: 0 };
  return {
    measure() {
      best = {
        threads,
        gflops: Math.max(best.gflops, (pieces * STEPS * FLOPS_PER_STEP) / time(flops) / 1e6),
        readGBps: Math.max(best.readGBps, bytes / time(reads) / 1e6),
      };
      return best;
    },
    dispose: () => runtime.dispose(),
  };
}
