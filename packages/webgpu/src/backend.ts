import {
  type Backend,
  checkUpload,
  checkZeros,
  type DType,
  type MemoryUse,
  type OpName,
  type OpNeed,
  type Ops,
  type Tensor,
  type TensorSource,
} from '@mamba-ts/backend';
import type { Counters, Engine } from './engine.js';
import { Gpu } from './gpu.js';
import { OP_NAMES, opsOf } from './ops/index.js';

const DTYPES: readonly DType[] = ['f32', 'f16', 'bf16', 'int8', 'i32'];

/** See `Backend`: what is said there is not repeated here. */
export class WebgpuBackend implements Backend {
  readonly name = 'webgpu';
  readonly description: string;
  readonly ops: Ops;
  readonly #gpu: Gpu;
  readonly #ownsDevice: boolean;
  #disposed = false;

  constructor(engine: Engine, description: string, ownsDevice: boolean, chunk: number | undefined) {
    this.description = description;
    this.#gpu = new Gpu(engine, chunk);
    this.#ownsDevice = ownsDevice;
    this.ops = opsOf(this.#gpu);
  }

  /** The device, for those who bring their own kernels. */
  get device(): GPUDevice {
    return this.#gpu.engine.device;
  }

  /** What was enqueued and created so far. */
  get counters(): Counters {
    return this.#gpu.engine.counters;
  }

  tensor(data: TensorSource, shape: readonly number[], dtype: DType = 'f32'): Tensor {
    this.#gpu.engine.errors.check();
    checkUpload(data, shape, dtype, DTYPES);
    return this.#gpu.upload(data, shape, dtype);
  }

  zeros(shape: readonly number[], dtype: DType = 'f32'): Tensor {
    this.#gpu.engine.errors.check();
    checkZeros(shape, dtype, DTYPES);
    return this.#gpu.zeros(shape, dtype);
  }

  supports(op: OpName, { dtype = 'f32', weight = 'f32' }: OpNeed = {}): boolean {
    return OP_NAMES.includes(op) && dtype === 'f32' && weight !== 'f64' && weight !== 'i32';
  }

  scope<T>(run: () => T): T {
    this.#gpu.engine.errors.check();
    return this.#gpu.ledger.scope(run);
  }

  memory(): MemoryUse {
    return this.#gpu.ledger.memory();
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#gpu.ledger.clear();
    const { engine } = this.#gpu;
    engine.errors.close();
    engine.pool.trim();
    if (this.#ownsDevice) engine.device.destroy();
  }
}
