import {
  type Backend,
  checkTensors,
  checkUpload,
  checkZeros,
  type DType,
  isStorageType,
  MambaError,
  type MemoryUse,
  type OpName,
  type OpNeed,
  type Ops,
  type Tensor,
  TensorLedger,
  type TensorSource,
} from '@mamba-ts/backend';
import { bytesOf, CpuTensor, storageOf, zeroStorage } from './cpu-tensor.js';
import { kernels } from './ops/index.js';

export interface CpuBackendOptions {
  /** Most bytes that live tensors may hold; beyond it `OUT_OF_MEMORY`. Default: what the engine gives. */
  memoryLimit?: number | undefined;
}

/**
 * The reference backend: every op and every gradient of the contract in plain TypeScript, on any JavaScript engine. f32
 * tensors hold f32, f64 tensors f64; arithmetic is in f64 for both. One thread; ops are done when they return.
 */
export async function createCpuBackend(options: CpuBackendOptions = {}): Promise<Backend> {
  const { memoryLimit = Number.POSITIVE_INFINITY } = options;
  if (!(memoryLimit > 0)) {
    throw new MambaError(
      'INVALID_ARGUMENT',
      `createCpuBackend: memoryLimit must be above 0, got ${memoryLimit}`,
    );
  }
  return new CpuBackend(memoryLimit);
}

const DTYPES: readonly DType[] = ['f32', 'f64', 'f16', 'bf16', 'int8', 'i32'];

/** The ops whose weight may be stored in a smaller type. */
const WEIGHT_OPS: readonly OpName[] = ['embedding', 'embeddingBackward', 'linear', 'linearBackward'];

class CpuBackend implements Backend {
  readonly name = 'cpu';
  readonly description = 'Reference backend: plain TypeScript, one thread, f32 and f64';
  readonly ops: Ops;
  readonly #memoryLimit: number;
  readonly #ledger = new TensorLedger();
  readonly #own = new WeakSet<Tensor>();
  #disposed = false;

  constructor(memoryLimit: number) {
    this.#memoryLimit = memoryLimit;
    this.ops = Object.fromEntries(
      Object.keys(kernels).map((name) => [name, this.#op(name as OpName)]),
    ) as unknown as Ops;
  }

  tensor(data: TensorSource, shape: readonly number[], dtype: DType = 'f32'): Tensor {
    this.#checkAlive('tensor');
    checkUpload(data, shape, dtype, DTYPES);
    return this.#add('tensor', shape, dtype, () => storageOf(data, shape, dtype));
  }

  zeros(shape: readonly number[], dtype: DType = 'f32'): Tensor {
    this.#checkAlive('zeros');
    checkZeros(shape, dtype, DTYPES);
    return this.#add('zeros', shape, dtype, () => zeroStorage(shape, dtype));
  }

  supports(op: OpName, need: OpNeed = {}): boolean {
    if (!Object.hasOwn(kernels, op)) return false;
    const { dtype = 'f32', weight = dtype } = need;
    if (dtype !== 'f32' && dtype !== 'f64') return false;
    return weight === dtype || (isStorageType(weight) && WEIGHT_OPS.includes(op));
  }

  scope<T>(run: () => T): T {
    this.#checkAlive('scope');
    return this.#ledger.scope(run);
  }

  memory(): MemoryUse {
    return this.#ledger.memory();
  }

  async dispose(): Promise<void> {
    this.#ledger.clear();
    this.#disposed = true;
  }

  /** An op with what all have in common: its tensors must live here, and if it throws it leaves none behind. */
  #op(name: OpName): (...args: object[]) => unknown {
    const kernel = kernels[name] as (make: unknown, ...args: object[]) => unknown;
    const make = (shape: readonly number[], dtype: DType) =>
      this.#add(name, shape, dtype, () => zeroStorage(shape, dtype));
    return (...args) => {
      this.#checkAlive(name);
      checkTensors(name, args, this.name, (tensor) => this.#own.has(tensor));
      return this.#ledger.scope(() => kernel(make, ...args));
    };
  }

  #add(
    what: string,
    shape: readonly number[],
    dtype: DType,
    allocate: () => ConstructorParameters<typeof CpuTensor>[2],
  ): CpuTensor {
    const bytes = bytesOf(shape, dtype);
    const limit = this.#memoryLimit;
    const inUse = this.#ledger.memory().bytes;
    if (inUse + bytes > limit) throw outOfMemory(what, bytes, inUse, limit);
    let storage: ReturnType<typeof allocate>;
    try {
      storage = allocate();
    } catch (cause) {
      if (cause instanceof RangeError) throw outOfMemory(what, bytes, inUse, limit, cause);
      throw cause;
    }
    const tensor = new CpuTensor(shape, dtype, storage, (disposed) => this.#ledger.remove(disposed));
    this.#ledger.add(tensor, bytes);
    this.#own.add(tensor);
    return tensor;
  }

  #checkAlive(what: string): void {
    if (this.#disposed) {
      throw new MambaError('DISPOSED', `${what}: this cpu backend was disposed: create another one`);
    }
  }
}

function outOfMemory(what: string, bytes: number, inUse: number, limit: number, cause?: unknown): MambaError {
  const most = Number.isFinite(limit) ? `the limit of ${limit} bytes` : 'what the engine allocates';
  return new MambaError(
    'OUT_OF_MEMORY',
    `${what}: ${bytes} bytes more than the ${inUse} in use pass ${most}: dispose of tensors, or use a shorter sequence or batch`,
    { cause, details: { bytes, inUse, limit } },
  );
}
