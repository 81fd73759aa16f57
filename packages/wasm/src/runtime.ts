import { type DType, MambaError, TensorLedger } from '@mamba-ts/backend';
import type { Recording } from './capture.js';
import { Heap, MAX_BYTES } from './heap.js';
import {
  ALONE,
  CHAINED,
  EPOCH,
  FLOATS,
  INTS,
  JOB_BYTES,
  MODE,
  PIECES,
  QUIT,
  SCRATCH,
  SCRATCH_STRIDE,
  SEQUENCE,
  SEQUENCE_JOBS,
  SHARED,
  THREADS,
} from './layout.js';
import type { Kernels, Variant } from './module.js';
import { Kind, WasmTensor } from './tensor.js';
import { startWorker, type WorkerHandle } from './workers.js';

const PAGE = 65536;
/** Work, in multiply-adds or the like, under which handing over to a worker that looks for it costs more than it saves. */
const SMALL = 8_000;

export interface Job {
  /** One of kernel-ids. */
  readonly kernel: number;
  readonly pieces: number;
  /** Addresses and whole numbers. */
  readonly ints: readonly number[];
  readonly floats?: readonly number[];
  /** Roughly how many simple operations on four lanes it takes in all. */
  readonly work: number;
  /** Bytes of scratch memory a thread. */
  readonly scratch?: number;
  /**
   * Each piece runs right after the same piece of the job before, on the same thread, and reads nothing that other pieces of that
   * wrote. Both have the same number of pieces.
   */
  readonly chained?: boolean;
}

/** The memory, the kernels and the threads of one backend. */
export class Runtime {
  readonly ledger = new TensorLedger();
  readonly heap: Heap;
  readonly threads: number;
  readonly variant: Variant;
  /** How long the main thread waits for a worker that makes no progress, in ms. */
  readonly patience: number;
  /** Bytes of scratch memory a thread that the matrix product needs. */
  readonly gemmScratch: number;
  /** What `capture` records at the moment. */
  recording: Recording | undefined;
  /** How often a tensor whose address was recorded has moved or gone. */
  moves = 0;
  readonly #memory: WebAssembly.Memory;
  readonly #kernels: Kernels;
  readonly #places: number[] = [];
  readonly #maySleep: boolean;
  #workers: WorkerHandle[] = [];
  #made: WasmTensor[] = [];
  #scratch = { address: 0, bytes: 0 };
  #buffer!: ArrayBufferLike;
  #words!: Int32Array;
  #floats!: Float32Array;
  #lost: string | undefined;
  #disposed = false;

  constructor(options: {
    memory: WebAssembly.Memory;
    module: WebAssembly.Module;
    variant: Variant;
    memoryLimit: number;
    threads: number;
    patience: number;
  }) {
    const { memory, module, variant, threads, patience } = options;
    this.#memory = memory;
    this.threads = threads;
    this.variant = variant;
    this.patience = patience;
    this.#kernels = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Kernels;
    this.#kernels.initConstants();
    this.#kernels.initProducts();
    this.gemmScratch = this.#kernels.gemmScratch();
    this.#look();
    this.#words[THREADS / 4] = threads;
    this.heap = new Heap(memory.buffer.byteLength, options.memoryLimit, (bytes) => {
      this.#memory.grow(Math.ceil((bytes - this.#memory.buffer.byteLength) / PAGE));
      this.#look();
    });
    // A page's main thread must not sleep; everyone else may.
    this.#maySleep = typeof (globalThis as { document?: unknown }).document === 'undefined';
  }

  /** Starts the workers: `threads` - 1 of them. */
  async start(module: WebAssembly.Module): Promise<void> {
    const starts = Array.from({ length: this.threads - 1 }, (_, i) =>
      startWorker({
        module,
        memory: this.#memory,
        thread: i + 1,
        onLost: (reason) => {
          if (!this.#disposed) this.#lost ??= `worker ${i + 1}: ${reason}`;
        },
      }),
    );
    const settled = await Promise.allSettled(starts);
    this.#workers = settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    const failed = settled.find((result) => result.status === 'rejected');
    if (failed) {
      await this.dispose();
      throw failed.reason;
    }
  }

  get buffer(): ArrayBufferLike {
    return this.#buffer;
  }

  checkAlive(what: string): void {
    if (this.#disposed) {
      throw new MambaError('DISPOSED', `${what}: the wasm backend was disposed: make another one`);
    }
    if (this.#lost !== undefined) {
      throw new MambaError(
        'DEVICE_LOST',
        `${what}: the wasm backend lost a thread (${this.#lost}): make another backend and go on from a saved state`,
      );
    }
  }

  /** A new tensor; its contents are whatever was there. */
  empty(
    shape: readonly number[],
    dtype: DType = 'f32',
    kind: Kind = Kind[dtype as keyof typeof Kind],
  ): WasmTensor {
    const tensor = new WasmTensor(this, shape, dtype, kind);
    this.recording?.made.add(tensor);
    this.#made.push(tensor);
    return tensor;
  }

  /** The tensors that will be made from now on: what a call must free if it fails. */
  watch(): readonly WasmTensor[] {
    this.#made = [];
    return this.#made;
  }

  /** Runs `use` with a block of memory that no tensor owns. */
  withMemory<T>(bytes: number, use: (address: number) => T): T {
    const address = this.heap.allocate(bytes);
    try {
      return use(address);
    } finally {
      this.heap.free(address, bytes);
    }
  }

  /** Runs a job to its end. */
  run(job: Job): void {
    this.runSequence([job]);
  }

  /** Runs jobs one after another, without coming back to JavaScript in between. Chained ones are among the first SEQUENCE_JOBS. */
  runSequence(jobs: readonly Job[]): void {
    this.recording?.jobs.push(...jobs);
    this.runUnrecorded(jobs);
  }

  /** As `runSequence`, but no part of what is being recorded. */
  runUnrecorded(jobs: readonly Job[]): void {
    for (let from = 0; from < jobs.length; from += SEQUENCE_JOBS) {
      const some = jobs.slice(from, from + SEQUENCE_JOBS);
      this.write(some, SEQUENCE);
      this.replay(some, SEQUENCE);
    }
  }

  /** Looks at tensors' values before jobs run: also before each replay. */
  check(look: () => void): void {
    const { recording } = this;
    recording?.checks.push(look);
    this.recording = undefined;
    try {
      look();
    } finally {
      this.recording = recording;
    }
  }

  /** Writes jobs to memory for `replay`: one more than there are, of JOB_BYTES each. */
  write(jobs: readonly Job[], base: number): void {
    let at = base;
    for (const job of jobs) {
      this.#write(job, at);
      at += JOB_BYTES;
    }
    this.#words[(at + MODE) / 4] = SHARED;
  }

  /** Runs jobs that `write` left at `base`. */
  replay(jobs: readonly Job[], base: number): void {
    for (let next = 0; ; next++) {
      next = this.#kernels.runSequence(base, next, jobs.length);
      if (next === jobs.length) return;
      this.#join();
    }
  }

  /** Writes a job, and sees to it that there is scratch memory for it. */
  #write(job: Job, at: number): void {
    const { kernel, pieces, ints, floats, scratch } = job;
    if (scratch !== undefined && scratch > this.#scratch.bytes) this.#growScratch(scratch);
    const words = this.#words;
    words[at / 4] = this.#placeOf(kernel);
    words[(at + PIECES) / 4] = pieces;
    words[(at + MODE) / 4] = job.chained ? CHAINED : this.#isForOne(job) ? ALONE : SHARED;
    for (let i = 0; i < ints.length; i++) words[(at + INTS) / 4 + i] = ints[i];
    if (floats === undefined) return;
    for (let i = 0; i < floats.length; i++) this.#floats[(at + FLOATS) / 4 + i] = floats[i];
  }

  /** Where a kernel is in the table of functions. */
  #placeOf(kernel: number): number {
    this.#places[kernel] ??= this.#kernels.kernelOf(kernel);
    return this.#places[kernel];
  }

  #isForOne({ pieces, work }: Job): boolean {
    return this.threads === 1 || pieces === 1 || work < SMALL;
  }

  /** Waits for the pieces that workers hold. */
  #join(): void {
    let held = this.#kernels.join(Number(this.#maySleep));
    let since = performance.now();
    let slept = 0;
    while (held > 0) {
      const now = this.#kernels.join(Number(this.#maySleep));
      // A machine that slept does not count as a worker that hangs: no look takes longer than a tenth of a second.
      const time = performance.now();
      slept = now === held ? slept + Math.min(time - since, 100) : 0;
      since = time;
      held = now;
      if (slept > this.patience) {
        this.#lost = `no progress for ${Math.round(slept / 1000)} s, with ${held} pieces of a job unfinished`;
        this.checkAlive('run');
      }
    }
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.ledger.clear();
    this.#disposed = true;
    const workers = this.#workers;
    this.#workers = [];
    if (this.threads > 1) {
      Atomics.store(this.#words, QUIT / 4, 1);
      Atomics.add(this.#words, EPOCH / 4, 1);
      Atomics.notify(this.#words, EPOCH / 4);
    }
    await Promise.all(workers.map((worker) => worker.terminate()));
  }

  #growScratch(bytes: number): void {
    const stride = Math.ceil(bytes / 4096) * 4096 + 64;
    const old = this.#scratch;
    if (old.bytes > 0) this.heap.free(old.address, old.bytes * this.threads);
    this.#scratch = { address: 0, bytes: 0 };
    const address = this.heap.allocate(stride * this.threads);
    this.#scratch = { address, bytes: stride };
    this.#words[SCRATCH / 4] = address;
    this.#words[SCRATCH_STRIDE / 4] = stride;
  }

  /** Views of a grown memory: the old ones end where it ended, or are detached. */
  #look(): void {
    this.#buffer = this.#memory.buffer;
    this.#words = new Int32Array(this.#buffer);
    this.#floats = new Float32Array(this.#buffer);
  }
}

/**
 * A shared memory that can grow to `limit`, or, where there is none, an unshared one. Engines that do not let so much
 * address space be reserved get less.
 */
export function makeMemory(limit: number, shared: boolean): WebAssembly.Memory {
  let maximum = Math.ceil(Math.min(Math.max(limit, 4 * 1024 * 1024), MAX_BYTES) / PAGE);
  for (;;) {
    try {
      return new WebAssembly.Memory({ initial: 16, maximum, shared });
    } catch (cause) {
      if (maximum <= 1024) {
        throw new MambaError(
          'OUT_OF_MEMORY',
          `wasm: the engine gives no memory of even ${maximum * PAGE} bytes`,
          {
            cause,
            details: { bytes: maximum * PAGE, limit },
          },
        );
      }
      maximum >>= 1;
    }
  }
}
