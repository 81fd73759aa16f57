import {
  type Backend,
  checkTensors,
  checkUpload,
  checkZeros,
  type DType,
  f16ToF32,
  MambaError,
  type MemoryUse,
  narrow,
  type OpName,
  type OpNeed,
  type Ops,
  quantizeInt8,
  type Tensor,
  type TensorSource,
} from '@mamba-ts/backend';
import { MAX_BYTES } from './heap.js';
import { inNode, loadModule } from './module.js';
import { zero } from './ops/elementwise.js';
import { implementations } from './ops/index.js';
import { makeMemory, Runtime } from './runtime.js';
import { Kind, WasmTensor } from './tensor.js';

export interface WasmBackendOptions {
  /** Threads that compute, the caller's included. Default: the cores. More than one needs shared memory. */
  readonly threads?: number | undefined;
  /** Fused multiply-add (relaxed SIMD). Default: where the engine has it. `false` gives the same bits on every machine. */
  readonly relaxed?: boolean | undefined;
  /** Bytes that the backend may hold. Default: 4 GiB, all that 32-bit addresses reach. */
  readonly memoryLimit?: number | undefined;
  /** Milliseconds without progress after which a worker counts as lost. Default 10000. */
  readonly patience?: number | undefined;
}

const TYPES: readonly DType[] = ['f32', 'f16', 'bf16', 'int8', 'i32'];

/**
 * WebAssembly SIMD on the CPU: f32, weights also f16, bf16 and int8, and threads where memory can be shared (Node, and
 * pages that are `crossOriginIsolated`).
 *
 * Throws `UNSUPPORTED_DEVICE` (no SIMD; `relaxed: true` without relaxed SIMD), `INVALID_ARGUMENT`, `OUT_OF_MEMORY`, `IO` (the
 * .wasm files cannot be read).
 */
export async function createWasmBackend(options: WasmBackendOptions = {}): Promise<Backend> {
  const { relaxed, memoryLimit = MAX_BYTES, patience = 10_000 } = options;
  checkOptions(options);
  const wanted = options.threads ?? (await countCores());
  const canShare =
    typeof SharedArrayBuffer === 'function' && (inNode() || globalThis.crossOriginIsolated === true);
  if (wanted > 1 && !canShare) {
    warnOnce(
      'mamba-ts: the wasm backend runs on one thread, because this page is not cross-origin isolated: serve it with Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp',
    );
  }
  const start = async (threads: number) => {
    const shared = threads > 1;
    const { module, variant } = await loadModule(relaxed, shared);
    const memory = makeMemory(memoryLimit, shared);
    const runtime = new Runtime({ memory, module, memoryLimit, threads, patience });
    await runtime.start(module);
    return new WasmBackend(runtime, variant === 'relaxed');
  };
  if (wanted === 1 || !canShare) return start(1);
  try {
    return await start(wanted);
  } catch (error) {
    if (error instanceof MambaError) throw error;
    warnOnce(`mamba-ts: the wasm backend runs on one thread, because workers do not start here: ${error}`);
    return start(1);
  }
}

function checkOptions({ threads, memoryLimit, patience }: WasmBackendOptions): void {
  const check = (
    name: string,
    value: number | undefined,
    good: (value: number) => boolean,
    expected: string,
  ) => {
    if (value !== undefined && !(typeof value === 'number' && good(value))) {
      throw new MambaError(
        'INVALID_ARGUMENT',
        `createWasmBackend: ${name} must be ${expected}, got ${value}`,
      );
    }
  };
  check('threads', threads, (n) => Number.isInteger(n) && n >= 1 && n <= 256, 'a whole number from 1 to 256');
  check('memoryLimit', memoryLimit, (n) => n >= 1 << 20, 'at least 1 MiB, in bytes');
  check('patience', patience, (n) => n > 0, 'above 0, in milliseconds');
}

async function countCores(): Promise<number> {
  if (!inNode()) return globalThis.navigator?.hardwareConcurrency ?? 1;
  const { availableParallelism } = await import('node:os');
  return availableParallelism();
}

const warned = new Set<string>();

function warnOnce(message: string): void {
  if (warned.has(message)) return;
  warned.add(message);
  console.warn(message);
}

class WasmBackend implements Backend {
  readonly name = 'wasm';
  readonly description: string;
  readonly ops: Ops;
  readonly #runtime: Runtime;

  constructor(runtime: Runtime, relaxed: boolean) {
    this.#runtime = runtime;
    const threads = runtime.threads === 1 ? '1 thread' : `${runtime.threads} threads`;
    this.description = `WebAssembly, ${relaxed ? 'relaxed SIMD with FMA' : 'SIMD'}, ${threads}`;
    this.ops = Object.fromEntries(
      Object.entries(implementations).map(([name, op]) => [name, guard(runtime, name, op as AnyOp)]),
    ) as unknown as Ops;
  }

  tensor(data: TensorSource, shape: readonly number[], dtype: DType = 'f32'): Tensor {
    this.#runtime.checkAlive('tensor');
    checkUpload(data, shape, dtype, TYPES);
    const own = [...shape];
    if (dtype === 'f16' || dtype === 'bf16') {
      const bits = data instanceof Uint16Array ? data : narrow(data, dtype);
      // The kernels' way of widening a half has no infinities and NaN.
      const special = dtype === 'f16' && bits.some((half) => (half & 0x7c00) === 0x7c00);
      const tensor = this.#runtime.empty(own, dtype, special ? Kind.f32 : Kind[dtype]);
      tensor.raw().set(special ? Float32Array.from(bits, f16ToF32) : bits);
      return tensor;
    }
    const tensor = this.#runtime.empty(own, dtype);
    if (dtype === 'int8') {
      const columns = own.at(-1) as number;
      const { values, scales } = quantizeInt8(data, columns === 0 ? 0 : tensor.size / columns, columns);
      tensor.raw().set(values);
      tensor.rawScales().set(scales);
    } else {
      tensor.raw().set(data);
    }
    return tensor;
  }

  zeros(shape: readonly number[], dtype: DType = 'f32'): Tensor {
    this.#runtime.checkAlive('zeros');
    checkZeros(shape, dtype, TYPES);
    const tensor = this.#runtime.empty([...shape], dtype);
    zero(this.#runtime, tensor.address, Math.ceil(tensor.allocated / 4));
    return tensor;
  }

  supports(op: OpName, need: OpNeed = {}): boolean {
    const { dtype = 'f32', weight = 'f32' } = need;
    return op in this.ops && dtype !== 'f64' && weight !== 'f64';
  }

  scope<T>(run: () => T): T {
    this.#runtime.checkAlive('scope');
    return this.#runtime.ledger.scope(run);
  }

  memory(): MemoryUse {
    return this.#runtime.ledger.memory();
  }

  dispose(): Promise<void> {
    return this.#runtime.dispose();
  }
}

type AnyOp = (runtime: Runtime, ...args: object[]) => unknown;

/** What every op does first, and what it must not leave behind if it fails. */
function guard(runtime: Runtime, name: string, op: AnyOp): (...args: object[]) => unknown {
  const owns = (tensor: Tensor) => tensor instanceof WasmTensor && tensor.livesIn(runtime);
  return (...args) => {
    runtime.checkAlive(name);
    checkTensors(name, args, 'wasm', owns);
    const made = runtime.watch();
    try {
      return op(runtime, ...args);
    } catch (error) {
      for (const tensor of made) tensor.dispose();
      throw error;
    }
  };
}
