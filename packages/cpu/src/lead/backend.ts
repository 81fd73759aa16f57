import {
  type Backend,
  type DType,
  dequantizeInt8,
  INT8_BLOCK,
  MambaError,
  type MemoryUse,
  narrow,
  type OpName,
  type OpNeed,
  type Ops,
  quantizeInt8,
  sizeOf,
  type Tensor,
  type TensorData,
  TensorLedger,
  type TensorSource,
  widen,
} from '@mamba-ts/backend';
import { type Cpu, rowsOf } from './cpu.js';
import { cpuOps } from './ops/index.js';
import { CpuTensor, type Floats } from './tensor.js';

/** Makes the reference backend: plain loops, f32 and f64, nothing to install. */
export async function createCpuBackend(): Promise<Backend> {
  return new CpuBackend();
}

class CpuBackend implements Backend, Cpu {
  readonly name = 'cpu';
  readonly description = 'plain JavaScript on one thread, f32 and f64';
  readonly ops: Ops;
  readonly #ledger = new TensorLedger();
  #disposed = false;

  constructor() {
    this.ops = cpuOps(this);
  }

  tensor(data: TensorSource, shape: readonly number[], dtype: DType = 'f32'): Tensor {
    if (data.length !== sizeOf(shape)) {
      throw new MambaError(
        'SHAPE',
        `tensor: ${data.length} numbers were given for shape [${shape.join(', ')}], which holds ${sizeOf(shape)}`,
      );
    }
    return this.make(stored(data, shape, dtype), shape, dtype);
  }

  zeros(shape: readonly number[], dtype: DType = 'f32'): Tensor {
    return this.make(arrayOf(dtype, sizeOf(shape)), shape, dtype);
  }

  make(values: TensorData, shape: readonly number[], dtype: DType): CpuTensor {
    this.#alive();
    const tensor = new CpuTensor(values, [...shape], dtype, (tensor) => this.#ledger.remove(tensor));
    this.#ledger.add(tensor, storageBytes(shape, dtype));
    return tensor;
  }

  own(x: Tensor): CpuTensor {
    this.#alive();
    if (x instanceof CpuTensor) return x;
    throw new MambaError(
      'INVALID_ARGUMENT',
      'a tensor of another backend was given to cpu: read it there with data() and make it here with tensor()',
    );
  }

  supports(op: OpName, { dtype = 'f32', weight = dtype }: OpNeed = {}): boolean {
    const stored = weight === dtype || ((op === 'linear' || op === 'embedding') && isStorage(weight));
    return op in this.ops && (dtype === 'f32' || dtype === 'f64') && stored;
  }

  scope<T>(run: () => T): T {
    this.#alive();
    return this.#ledger.scope(run);
  }

  memory(): MemoryUse {
    return this.#ledger.memory();
  }

  async dispose(): Promise<void> {
    this.#ledger.clear();
    this.#disposed = true;
  }

  #alive(): void {
    if (this.#disposed) throw new MambaError('DISPOSED', 'the cpu backend was used after it was disposed');
  }
}

function isStorage(dtype: DType): boolean {
  return dtype === 'f16' || dtype === 'bf16' || dtype === 'int8';
}

function arrayOf(dtype: DType, size: number): TensorData {
  switch (dtype) {
    case 'f64':
      return new Float64Array(size);
    case 'i32':
      return new Int32Array(size);
    case 'f32':
    case 'f16':
    case 'bf16':
    case 'int8':
      return new Float32Array(size);
    default:
      throw new MambaError('DTYPE', `cpu has no type ${String(dtype satisfies never)}`);
  }
}

/** The numbers as the type holds them: rounded to f16 or bf16, or quantised. */
function stored(data: TensorSource, shape: readonly number[], dtype: DType): TensorData {
  if (dtype === 'f16' || dtype === 'bf16') {
    return widen(data instanceof Uint16Array ? data : narrow(data, dtype), dtype);
  }
  if (dtype === 'int8') {
    const { rows, columns } = rowsOf(shape);
    return dequantizeInt8(quantizeInt8(data, rows, columns), rows, columns);
  }
  const values = arrayOf(dtype, data.length);
  (values as Floats).set(data);
  return values;
}

/** Bytes of the type, as a backend that packs it would hold; int8 with its scales. */
function storageBytes(shape: readonly number[], dtype: DType): number {
  const size = sizeOf(shape);
  switch (dtype) {
    case 'f64':
      return 8 * size;
    case 'f16':
    case 'bf16':
      return 2 * size;
    case 'int8': {
      const { rows, columns } = rowsOf(shape);
      return size + 4 * rows * Math.ceil(columns / INT8_BLOCK);
    }
    default:
      return 4 * size;
  }
}
