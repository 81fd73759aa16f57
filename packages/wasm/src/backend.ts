import {
  type Backend,
  type Capture,
  checkTensors,
  checkUpload,
  checkWrite,
  checkZeros,
  type DType,
  type MemoryUse,
  narrow,
  type OpName,
  type OpNeed,
  type OptionalOpName,
  quantizeInt8,
  type Tensor,
  type TensorSource,
  widen,
} from '@mamba-ts/backend';
import { capture } from './capture.js';
import { zero } from './ops/elementwise.js';
import { implementations } from './ops/index.js';
import { own, type WasmOps } from './ops/op.js';
import { copyInto } from './ops/split-concat.js';
import type { Runtime } from './runtime.js';
import { startRuntime, type WasmBackendOptions } from './start.js';
import { Kind, WasmTensor } from './tensor.js';

const TYPES: readonly DType[] = ['f32', 'f16', 'bf16', 'int8', 'i32'];

/**
 * WebAssembly SIMD on the CPU: f32, weights also f16, bf16 and int8, and threads where memory can be shared (Node, and
 * pages that are `crossOriginIsolated`).
 *
 * Throws `UNSUPPORTED_DEVICE` (no SIMD; `relaxed: true` without relaxed SIMD), `INVALID_ARGUMENT`, `OUT_OF_MEMORY`, `IO` (the
 * .wasm files cannot be read).
 */
export async function createWasmBackend(options: WasmBackendOptions = {}): Promise<Backend> {
  return new WasmBackend(await startRuntime(options));
}

export class WasmBackend implements Backend {
  readonly name = 'wasm';
  readonly description: string;
  readonly ops: WasmOps;
  readonly #runtime: Runtime;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    const threads = runtime.threads === 1 ? '1 thread' : `${runtime.threads} threads`;
    this.description = `WebAssembly, ${runtime.variant === 'relaxed' ? 'relaxed SIMD with FMA' : 'SIMD'}, ${threads}`;
    this.ops = Object.fromEntries(
      Object.entries(implementations).map(([name, op]) => [name, guard(runtime, name, op as AnyOp)]),
    ) as unknown as WasmOps;
  }

  tensor(data: TensorSource, shape: readonly number[], dtype: DType = 'f32'): Tensor {
    this.#runtime.checkAlive('tensor');
    checkUpload(data, shape, dtype, TYPES);
    const axes = [...shape];
    if (dtype === 'f16' || dtype === 'bf16') return this.#half(data, axes, dtype);
    const tensor = this.#runtime.empty(axes, dtype);
    if (dtype === 'int8') {
      const columns = axes.at(-1) as number;
      const { values, scales } = quantizeInt8(data, columns === 0 ? 0 : tensor.size / columns, columns);
      tensor.raw().set(values);
      tensor.rawScales().set(scales);
    } else {
      tensor.raw().set(data);
    }
    return tensor;
  }

  /** The kernels' ways of widening have no infinities and NaN: a tensor with any is kept in f32. */
  #half(data: TensorSource, shape: readonly number[], dtype: 'f16' | 'bf16'): Tensor {
    const bits = data instanceof Uint16Array ? data : narrow(data, dtype);
    const exponent = dtype === 'f16' ? 0x7c00 : 0x7f80;
    const special = bits.some((half) => (half & exponent) === exponent);
    const tensor = this.#runtime.empty(shape, dtype, special ? Kind.f32 : Kind[dtype]);
    tensor.raw().set(special ? widen(bits, dtype) : bits);
    return tensor;
  }

  zeros(shape: readonly number[], dtype: DType = 'f32'): Tensor {
    this.#runtime.checkAlive('zeros');
    checkZeros(shape, dtype, TYPES);
    const tensor = this.#runtime.empty([...shape], dtype);
    zero(this.#runtime, tensor.address, Math.ceil(tensor.allocated / 4));
    return tensor;
  }

  write(tensor: Tensor, source: TensorSource | Tensor): void {
    const runtime = this.#runtime;
    runtime.checkAlive('write');
    checkTensors('write', [{ tensor, source }], 'wasm', (one) => isOf(runtime, one));
    const target = own(tensor);
    if ('dispose' in source) {
      checkWrite(tensor, source);
      copyInto(runtime, own(source), target);
    } else if (target.dtype === 'f32' || target.dtype === 'i32') {
      checkUpload(source, tensor.shape, tensor.dtype, TYPES);
      target.raw().set(source);
    } else {
      target.adopt(own(this.tensor(source, tensor.shape, tensor.dtype)));
    }
  }

  capture<T>(run: () => T): Capture<T> {
    this.#runtime.checkAlive('capture');
    return capture(this.#runtime, run);
  }

  supports(op: OpName | OptionalOpName, need: OpNeed = {}): boolean {
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
  return (inputs, grads) => {
    runtime.checkAlive(name);
    // The contract's check says what is wrong, but looks at everything twice: it is only asked where something is.
    if (!allLive(inputs, runtime) || !allLive(grads, runtime)) {
      checkTensors(name, grads === undefined ? [inputs] : [inputs, grads], 'wasm', (one) =>
        isOf(runtime, one),
      );
    }
    const made = runtime.watch();
    try {
      return grads === undefined ? op(runtime, inputs) : op(runtime, inputs, grads);
    } catch (error) {
      for (const tensor of made) tensor.dispose();
      throw error;
    }
  };
}

function isOf(runtime: Runtime, tensor: Tensor): boolean {
  return tensor instanceof WasmTensor && tensor.livesIn(runtime);
}

/** Whether every tensor in the arguments lives, and lives here. */
function allLive(value: unknown, runtime: Runtime): boolean {
  if (value instanceof WasmTensor) return !value.disposed && value.livesIn(runtime);
  if (typeof value !== 'object' || value === null) return true;
  if ('dispose' in value) return false;
  for (const key in value) {
    const item = (value as Record<string, unknown>)[key];
    if (typeof item === 'object' && !allLive(item, runtime)) return false;
  }
  return true;
}
