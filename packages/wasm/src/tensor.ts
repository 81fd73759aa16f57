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
import { ARRANGE } from './kernel-ids.js';
import { LINE } from './layout.js';
import type { Runtime } from './runtime.js';

/** How the elements lie in memory; the kernels' number for it. */
export const Kind = { f32: 0, f16: 1, bf16: 2, int8: 3, i32: 4 } as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

/** A block of the linear memory that holds a tensor. */
export interface Place {
  readonly address: number;
  readonly scales: number;
  readonly bytes: number;
}

/** A tensor in the linear memory. */
export class WasmTensor implements Tensor {
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** How it is stored: as `dtype` says, but f32 for an f16 tensor with infinities or NaN, which the kernels' way of widening lacks. */
  kind: Kind;
  readonly size: number;
  /** Whether its address is in jobs that will run again. */
  isRecorded = false;
  readonly #runtime: Runtime;
  #place: Place;
  #inPanels = false;
  #disposed = false;

  constructor(runtime: Runtime, shape: readonly number[], dtype: DType, kind: Kind) {
    this.#runtime = runtime;
    this.shape = shape;
    this.dtype = dtype;
    this.kind = kind;
    this.size = sizeOf(shape);
    this.#place = this.#allocate(false);
    runtime.ledger.add(this, this.bytes);
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** What the elements (and scales) take. */
  get bytes(): number {
    if (this.kind === Kind.int8) return this.size + 4 * this.#scaleCount;
    return this.size * bytesOf(this.kind);
  }

  /** Address of the elements, in row order: brings them into it. */
  get address(): number {
    if (this.#inPanels) this.#arrange(false);
    this.#runtime.recording?.touch(this, this.#place);
    return this.#place.address;
  }

  /** Address of the elements of a weight, in the panels that products read (assembly/panels.ts): brings them into these. */
  get panels(): number {
    if (!this.#inPanels) this.#arrange(true);
    this.#runtime.recording?.touch(this, this.#place);
    return this.#place.address;
  }

  /** Whether its elements are still in the block that they were in, and so in the same order: a change of order moves them. */
  isIn(place: Place): boolean {
    return !this.#disposed && this.#place === place;
  }

  /** Its block, with the elements in row order. */
  get place(): Place {
    if (this.#inPanels) this.#arrange(false);
    return this.#place;
  }

  get inPanels(): boolean {
    return this.#inPanels;
  }

  /** Address of the scales of an int8 tensor in row order, [rows, ceil(columns / 64)], behind the values; of other types 0. */
  get scales(): number {
    return this.kind === Kind.int8 ? this.#place.scales : 0;
  }

  /** What it takes in memory, the gap before the scales included. */
  get allocated(): number {
    return this.#place.bytes;
  }

  get #scaleCount(): number {
    const columns = this.shape.at(-1) ?? 1;
    return columns === 0 ? 0 : (this.size / columns) * Math.ceil(columns / INT8_BLOCK);
  }

  /** Room for the elements in one order or the other. */
  #allocate(inPanels: boolean): Place {
    const columns = this.shape.at(-1) ?? 1;
    const rows = columns === 0 ? 0 : this.size / columns;
    const height = inPanels ? panelRows(this.kind) : 1;
    const values = height * Math.ceil(rows / height) * columns * bytesOf(this.kind);
    const scalesAt = LINE * Math.ceil(values / LINE);
    let bytes = values;
    if (this.kind === Kind.int8) {
      const blocks = Math.ceil(columns / INT8_BLOCK);
      bytes = inPanels
        ? Math.ceil(rows / height) * height * (4 * blocks + 4 * Math.ceil(columns / 4))
        : scalesAt + 4 * rows * blocks;
    }
    const address = this.#runtime.heap.allocate(bytes);
    return { address, scales: address + scalesAt, bytes };
  }

  #arrange(inPanels: boolean): void {
    const from = this.#place;
    const to = this.#allocate(inPanels);
    const { heap } = this.#runtime;
    const [rows, columns] = this.shape as [number, number];
    try {
      const ints = [
        from.address,
        from.scales,
        to.address,
        to.scales,
        this.kind,
        rows,
        columns,
        Number(inPanels),
      ];
      const pieces = Math.ceil(rows / panelRows(this.kind));
      this.#runtime.runUnrecorded([{ kernel: ARRANGE, pieces, ints, work: this.size }]);
    } catch (error) {
      heap.free(to.address, to.bytes);
      throw error;
    }
    heap.free(from.address, from.bytes);
    this.#place = to;
    this.#inPanels = inPanels;
    this.#tellRecordings();
  }

  /** It has moved, or it has gone. */
  #tellRecordings(): void {
    if (this.isRecorded) this.#runtime.moves++;
  }

  /** The values, in row order, as they lie in memory. Valid until memory grows: until the next op. */
  raw(): Float32Array | Int32Array | Uint16Array | Int8Array {
    const { address, size } = this;
    this.#runtime.recording?.spoil();
    const { buffer } = this.#runtime;
    if (this.kind === Kind.f32) return new Float32Array(buffer, address, size);
    if (this.kind === Kind.i32) return new Int32Array(buffer, address, size);
    if (this.kind === Kind.int8) return new Int8Array(buffer, address, size);
    return new Uint16Array(buffer, address, size);
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

  /** Takes over what another tensor of its shape and type holds, which is disposed. */
  adopt(other: WasmTensor): void {
    const own = this.#place;
    this.#place = other.#place;
    other.#place = own;
    const order = this.#inPanels;
    this.#inPanels = other.#inPanels;
    other.#inPanels = order;
    const { kind } = this;
    this.kind = other.kind;
    other.kind = kind;
    other.dispose();
    this.#tellRecordings();
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#runtime.ledger.remove(this);
    this.#runtime.heap.free(this.#place.address, this.#place.bytes);
    this.#tellRecordings();
  }

  /** Whether this runtime's memory holds it. */
  livesIn(runtime: Runtime): boolean {
    return this.#runtime === runtime;
  }
}

/** Rows of a panel. */
export function panelRows(kind: Kind): number {
  return kind === Kind.int8 ? 16 : 8;
}

function bytesOf(kind: Kind): number {
  if (kind === Kind.int8) return 1;
  return kind === Kind.f16 || kind === Kind.bf16 ? 2 : 4;
}
