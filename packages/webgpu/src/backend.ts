import {
  type Backend,
  type Capture,
  checkTensors,
  checkUpload,
  checkWrite,
  checkZeros,
  type DType,
  type MemoryUse,
  type OpName,
  type OpNeed,
  type OptionalOpName,
  sizeOf,
  type Tensor,
  type TensorSource,
} from '@mamba-ts/backend';
import { capture } from './capture.js';
import type { Counters, Engine } from './engine.js';
import { Gpu } from './gpu.js';
import { OP_NAMES, opsOf, type WebgpuOps } from './ops/index.js';

const DTYPES: readonly DType[] = ['f32', 'f16', 'bf16', 'int8', 'i32'];

/** See `Backend`: what is said there is not repeated here. */
export class WebgpuBackend implements Backend {
  readonly name = 'webgpu';
  readonly deferred = true;
  readonly description: string;
  readonly ops: WebgpuOps;
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
    this.#gpu.engine.pool.caller = 'tensor';
    return this.#gpu.upload(data, shape, dtype);
  }

  zeros(shape: readonly number[], dtype: DType = 'f32'): Tensor {
    this.#gpu.engine.errors.check();
    checkZeros(shape, dtype, DTYPES);
    this.#gpu.engine.pool.caller = 'zeros';
    return this.#gpu.zeros(shape, dtype);
  }

  write(tensor: Tensor, source: TensorSource | Tensor): void {
    const gpu = this.#gpu;
    gpu.engine.errors.check();
    checkTensors('write', [{ tensor, source }], 'webgpu', (one) => gpu.owns(one));
    const target = gpu.own(tensor);
    if ('dispose' in source) {
      checkWrite(tensor, source);
      const count = sizeOf(tensor.shape);
      const whole = [0, count] as const;
      gpu.ledger.scope(() =>
        gpu.move(gpu.flat(source), target.loan, { rows: 1, columns: count, from: whole, to: whole }),
      );
    } else {
      checkUpload(source, tensor.shape, tensor.dtype, DTYPES);
      gpu.write(target, source);
    }
  }

  capture<T>(run: () => T): Capture<T> {
    this.#gpu.engine.errors.check();
    return capture(this.#gpu, run);
  }

  supports(op: OpName | OptionalOpName, { dtype = 'f32', weight = 'f32' }: OpNeed = {}): boolean {
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
