import { DeviceErrors } from './errors.js';
import { type Constants, type KernelName, type Pipeline, Pipelines } from './pipelines.js';
import { type Loan, Pool } from './pool.js';

/** What the engine did so far. Tests and benchmarks take differences. */
export interface Counters {
  /** Kernels enqueued. */
  dispatches: number;
  /** Command buffers handed to the device. */
  submits: number;
  /** Shaders compiled. */
  pipelines: number;
  bindGroups: number;
  /** GPU buffers created: tensors and scratch that the pool could not serve. */
  buffers: number;
  /** Bytes that came back. */
  bytesRead: number;
}

/** One enqueued kernel, as `onDispatch` shows it. */
export interface DispatchInfo {
  /** The variant: kernel and constants. */
  readonly label: string;
  readonly workgroups: readonly [number, number, number];
}

export interface EngineOptions {
  /** Largest buffer. */
  readonly maxBytes: number;
  /** Whether kernels may use subgroups, with their numbers. */
  readonly subgroups: boolean;
  readonly onDispatch?: ((info: DispatchInfo) => void) | undefined;
}

export interface Dispatch {
  readonly constants?: Constants;
  readonly snippets?: readonly KernelName[];
  /** By binding number; undefined for what the variant does not use. The last binding of a kernel is its parameters. */
  readonly bind: readonly (Loan | undefined)[];
  /** The fields of the uniform struct: u32, or the bits of an f32 (`float`). */
  readonly params: readonly number[];
  readonly groups: readonly [number, number?, number?];
}

/** Enough for a token of a large model in one submission; a long prompt is handed over in pieces, while it is encoded. */
const DISPATCHES_A_SUBMIT = 256;
/** Parameters of a dispatch: the guaranteed alignment of a uniform binding, and room for 64 fields. */
const SLOT = 256;
const SLOTS_A_PAGE = 256;
const MAX_PAGES = 16;
const MAX_BIND_GROUPS = 16384;
/** The guaranteed size of a uniform binding. */
export const MAX_UNIFORM = 65536;
/** writeBuffer copies what it is given: pieces bound that copy. */
const UPLOAD_PIECE = 2 ** 24;

const scratch = new DataView(new ArrayBuffer(4));

/** The bits of an f32, for `Dispatch.params`. */
export function float(value: number): number {
  scratch.setFloat32(0, value);
  return scratch.getUint32(0);
}

interface Slot {
  readonly id: number;
  readonly page: GPUBuffer;
  readonly offset: number;
}

/** One enqueued kernel, ready to be encoded again. */
export interface Command {
  readonly pipeline: Pipeline;
  readonly group: GPUBindGroup;
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

/**
 * Turns dispatches into command buffers. A dispatch that was seen before, with the same buffers and parameters, costs no
 * allocation on the device: parameters stay in their slot and bind groups are kept. As the pool lends the same buffers in
 * the same order to the same sequence of ops, a decoding step creates nothing after the first few tokens.
 */
export class Engine {
  readonly device: GPUDevice;
  readonly errors: DeviceErrors;
  readonly pool: Pool;
  readonly pipelines: Pipelines;
  /** How a workgroup adds up: put in front of kernels that do. */
  readonly sumSnippet: KernelName;
  /** Shows every dispatch, for counting and debugging. */
  readonly onDispatch: ((info: DispatchInfo) => void) | undefined;
  /** While set, dispatches are added here too: see `capture`. */
  recording: { commands: Command[]; pinned: Set<Loan> } | undefined;

  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
  #bound: Pipeline | undefined;
  #inPass = 0;
  #soon: Promise<void> | undefined;
  /** Number of the command buffer being encoded. */
  #submission = 0;

  readonly #slots = new Map<string, Slot>();
  readonly #pages: GPUBuffer[] = [];
  readonly #groups = new Map<string, GPUBindGroup>();
  /** Keys of `#groups` by buffer, to forget them with it. */
  readonly #keysOf = new Map<number, string[]>();
  readonly #staging = new Map<number, GPUBuffer[]>();
  /** What is bound where a variant declares more than it uses: a slice for each binding. */
  readonly #unread: Loan;
  readonly #unwritten: Loan;
  readonly #counts = { dispatches: 0, submits: 0, bindGroups: 0, bytesRead: 0 };

  constructor(device: GPUDevice, { maxBytes, subgroups, onDispatch }: EngineOptions) {
    this.device = device;
    this.onDispatch = onDispatch;
    this.sumSnippet = subgroups ? 'sum-subgroups' : 'sum-tree';
    this.errors = new DeviceErrors(device);
    this.pool = new Pool(device, this.errors, maxBytes, (loan) => this.#forget(loan));
    this.pipelines = new Pipelines(device);
    this.#unread = this.pool.lend(SLOT * 16);
    this.#unwritten = this.pool.lend(SLOT * 16);
  }

  get counters(): Counters {
    return { ...this.#counts, pipelines: this.pipelines.count, buffers: this.pool.made };
  }

  /** Enqueues a kernel. No workgroups: nothing. */
  run(kernel: KernelName, { constants, snippets, bind, params, groups: [x, y = 1, z = 1] }: Dispatch): void {
    if (x * y * z === 0) return;
    const pipeline = this.pipelines.get(kernel, constants, snippets);
    for (const loan of bind) {
      if (!loan) continue;
      if (loan.failed) throw loan.failed;
      loan.usedIn = this.#submission;
    }
    const group = this.#bindGroup(pipeline, bind, params);
    const command = { pipeline, group, x, y, z };
    if (this.recording) {
      this.recording.commands.push(command);
      for (const loan of bind) {
        if (!loan || this.recording.pinned.has(loan)) continue;
        this.recording.pinned.add(loan);
        loan.pins++;
      }
    }
    this.#encode(command);
  }

  /** Enqueues what was recorded. */
  replay(commands: readonly Command[], loans: Iterable<Loan>): void {
    for (const command of commands) this.#encode(command);
    // After the last: `encode` may have begun another submission.
    for (const loan of loans) loan.usedIn = this.#submission;
  }

  /** What `run` enqueues is not part of a recording. */
  unrecorded(run: () => void): void {
    const { recording } = this;
    this.recording = undefined;
    try {
      run();
    } finally {
      this.recording = recording;
    }
  }

  #encode({ pipeline, group, x, y, z }: Command): void {
    if (!this.#pass) {
      this.#encoder ??= this.device.createCommandEncoder();
      this.#pass = this.#encoder.beginComputePass();
      this.#bound = undefined;
    }
    if (this.#bound !== pipeline) this.#pass.setPipeline(pipeline.pipeline);
    this.#bound = pipeline;
    this.#pass.setBindGroup(0, group);
    this.#pass.dispatchWorkgroups(x, y, z);
    this.#counts.dispatches++;
    this.onDispatch?.({ label: pipeline.label, workgroups: [x, y, z] });
    if (++this.#inPass >= DISPATCHES_A_SUBMIT) this.flush();
  }

  /** Hands over what was enqueued. */
  flush(): void {
    if (!this.#encoder) return;
    this.#pass?.end();
    this.device.queue.submit([this.#encoder.finish()]);
    this.#counts.submits++;
    this.#submission++;
    this.#encoder = this.#pass = undefined;
    this.#inPass = 0;
  }

  /** Overwrites a buffer from a byte offset on (multiple of 4). Ordered after what was enqueued before. */
  upload(loan: Loan, data: Uint32Array<ArrayBuffer>, offset = 0): void {
    // Writes go before commands that are not handed over yet.
    if (loan.usedIn === this.#submission) this.flush();
    for (let at = 0; at < data.byteLength; at += UPLOAD_PIECE) {
      const bytes = Math.min(UPLOAD_PIECE, data.byteLength - at);
      this.device.queue.writeBuffer(loan.gpu, offset + at, data.buffer, data.byteOffset + at, bytes);
    }
  }

  /** Reads bytes as they are now, whatever is done to the buffer afterwards. */
  async read(loan: Loan, offset: number, bytes: number): Promise<ArrayBuffer> {
    if (loan.failed) throw loan.failed;
    const size = 2 ** Math.ceil(Math.log2(Math.max(bytes, 256)));
    const staging =
      this.#staging.get(size)?.pop() ??
      this.device.createBuffer({ size, usage: 0x1 | 0x8 /* MAP_READ, COPY_DST */ });
    this.#pass?.end();
    this.#pass = undefined;
    this.#encoder ??= this.device.createCommandEncoder();
    this.#encoder.copyBufferToBuffer(loan.gpu, offset, staging, 0, bytes);
    this.#counts.bytesRead += bytes;
    loan.usedIn = this.#submission;
    // One submission for all the reads that a caller starts together.
    this.#soon ??= Promise.resolve().then(() => {
      this.#soon = undefined;
      this.flush();
    });
    await this.#soon;
    try {
      await this.#nudged(staging.mapAsync(1 /* READ */, 0, bytes));
    } catch (error) {
      return this.errors.explain(error);
    }
    const copy = staging.getMappedRange(0, bytes).slice(0);
    staging.unmap();
    const list = this.#staging.get(size);
    if (list) list.push(staging);
    else this.#staging.set(size, [staging]);
    this.errors.check();
    return copy;
  }

  /** Firefox looks for finished work every 100 ms (bug 1870699), unless something is submitted. */
  async #nudged(mapped: Promise<unknown>): Promise<void> {
    if (!globalThis.navigator?.userAgent?.includes('Firefox')) return void (await mapped);
    const timer = setInterval(() => this.device.queue.submit([]), 1);
    try {
      await mapped;
    } finally {
      clearInterval(timer);
    }
  }

  #bindGroup({ layout }: Pipeline, bind: Dispatch['bind'], params: readonly number[]): GPUBindGroup {
    const slot = this.#slot(params);
    let key = `${layout.id}:${slot.id}`;
    for (const loan of bind) key += loan ? `,${loan.id}` : ',';
    let group = this.#groups.get(key);
    if (group) return group;

    const entries = layout.kinds.flatMap((kind, binding): GPUBindGroupEntry[] => {
      if (!kind) return [];
      const loan = bind[binding];
      if (loan) {
        const keys = this.#keysOf.get(loan.id);
        if (keys) keys.push(key);
        else this.#keysOf.set(loan.id, [key]);
        const size = kind === 'uniform' ? Math.min(loan.bytes, MAX_UNIFORM) : loan.bytes;
        return [{ binding, resource: { buffer: loan.gpu, size } }];
      }
      if (binding === layout.kinds.length - 1) {
        return [{ binding, resource: { buffer: slot.page, offset: slot.offset, size: SLOT } }];
      }
      // Declared but not used by this variant. Writable bindings may not overlap, nor meet a read-only one in one buffer.
      const buffer = kind === 'write' ? this.#unwritten.gpu : this.#unread.gpu;
      return [{ binding, resource: { buffer, offset: SLOT * binding, size: SLOT } }];
    });
    if (this.#groups.size >= MAX_BIND_GROUPS) {
      this.#groups.clear();
      this.#keysOf.clear();
    }
    group = this.device.createBindGroup({ layout: layout.gpu, entries });
    this.#groups.set(key, group);
    this.#counts.bindGroups++;
    return group;
  }

  /** Where these parameters are. They are written once. */
  #slot(params: readonly number[]): Slot {
    const key = params.join();
    let slot = this.#slots.get(key);
    if (slot) return slot;
    if (this.#slots.size >= MAX_PAGES * SLOTS_A_PAGE) {
      // New pages: bind groups of captures still name the old ones.
      this.#pages.length = 0;
      this.#slots.clear();
      this.#groups.clear();
      this.#keysOf.clear();
    }
    const id = this.#slots.size;
    const number = Math.floor(id / SLOTS_A_PAGE);
    this.#pages[number] ??= this.device.createBuffer({
      size: SLOT * SLOTS_A_PAGE,
      usage: 0x40 | 0x8, // UNIFORM | COPY_DST
    });
    slot = { id, page: this.#pages[number], offset: SLOT * (id % SLOTS_A_PAGE) };
    this.device.queue.writeBuffer(slot.page, slot.offset, Uint32Array.from(params));
    this.#slots.set(key, slot);
    return slot;
  }

  #forget(loan: Loan): void {
    if (loan.usedIn === this.#submission) this.flush();
    for (const key of this.#keysOf.get(loan.id) ?? []) this.#groups.delete(key);
    this.#keysOf.delete(loan.id);
  }
}
