import {
  type DType,
  dequantizeInt8,
  INT8_BLOCK,
  MambaError,
  sizeOf,
  type Tensor,
  type TensorData,
  widen,
} from '@mamba-ts/backend';
import { LINE } from './layout.js';
import type { Runtime } from './runtime.js';

/** How the elements lie in memory; the kernels' number for it. */
export const Kind = { f32: 0, f16: 1, bf16: 2, int8: 3, i32: 4 } as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

/** A tensor in the linear memory. */
export class WasmTensor implements Tensor {
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** How it is stored: as `dtype` says, but f32 for an f16 tensor with infinities or NaN, which the kernels' way of widening lacks. */
  readonly kind: Kind;
  readonly address: number;
  readonly size: number;
  readonly #runtime: Runtime;
  #disposed = false;

  constructor(runtime: Runtime, shape: readonly number[], dtype: DType, kind: Kind) {
    this.#runtime = runtime;
    this.shape = shape;
    this.dtype = dtype;
    this.kind = kind;
    this.size = sizeOf(shape);
    this.address = runtime.heap.allocate(this.allocated);
    runtime.ledger.add(this, this.bytes);
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** What the elements (and scales) take. */
  get bytes(): number {
    if (this.kind === Kind.int8) return this.size + 4 * this.#scaleCount;
    return this.size * (this.kind === Kind.f16 || this.kind === Kind.bf16 ? 2 : 4);
  }

  /** Address of the scales of an int8 tensor, [rows, ceil(columns / 32)], behind the values. */
  get scales(): number {
    return this.address + scalesOffset(this.size);
  }

  /** What it takes in memory, the gap before the scales included. */
  get allocated(): number {
    return this.kind === Kind.int8 ? scalesOffset(this.size) + 4 * this.#scaleCount : this.bytes;
  }

  get #scaleCount(): number {
    const columns = this.shape.at(-1) ?? 1;
    return columns === 0 ? 0 : (this.size / columns) * Math.ceil(columns / INT8_BLOCK);
  }

  /** The values, as they lie in memory. Valid until memory grows: until the next op. */
  raw(): Float32Array | Int32Array | Uint16Array | Int8Array {
    const { buffer } = this.#runtime;
    if (this.kind === Kind.f32) return new Float32Array(buffer, this.address, this.size);
    if (this.kind === Kind.i32) return new Int32Array(buffer, this.address, this.size);
    if (this.kind === Kind.int8) return new Int8Array(buffer, this.address, this.size);
    return new Uint16Array(buffer, this.address, this.size);
  }

  rawScales(): Float32Array {
    return new Float32Array(this.#runtime.buffer, this.scales, this.#scaleCount);
  }

  async data(): Promise<TensorData> {
    if (this.#disposed) {
      throw new MambaError('DISPOSED', 'data: the tensor was disposed: read it before, or copy it');
    }
    this.#runtime.checkAlive('data');
    const raw = this.raw();
    if (raw instanceof Float32Array || raw instanceof Int32Array) return raw.slice();
    if (raw instanceof Int8Array) {
      const columns = this.shape.at(-1) as number;
      return dequantizeInt8({ values: raw, scales: this.rawScales() }, this.size / columns, columns);
    }
    return widen(raw, this.dtype as 'f16' | 'bf16');
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#runtime.ledger.remove(this);
    this.#runtime.heap.free(this.address, this.allocated);
  }

  /** Whether this runtime's memory holds it. */
  livesIn(runtime: Runtime): boolean {
    return this.#runtime === runtime;
  }
}

function scalesOffset(values: number): number {
  return Math.ceil(values / LINE) * LINE;
}
