import {
  type DType,
  isStorageType,
  narrow,
  quantizeInt8,
  type Tensor,
  TensorLedger,
  type TensorSource,
} from '@mamba-ts/backend';
import type { Engine } from './engine.js';
import { bytesOf, layoutOf } from './layout.js';
import type { Loan } from './pool.js';
import { GpuTensor, type Part, releaseParts } from './tensor.js';

/** Tensors and the engine that computes with them: what every op is given. */
export class Gpu {
  readonly engine: Engine;
  readonly ledger = new TensorLedger();
  /** Tokens a chunk of the scans, where a caller wants to say. */
  readonly chunk: number | undefined;

  constructor(engine: Engine, chunk: number | undefined) {
    this.engine = engine;
    this.chunk = chunk;
  }

  /** Whether a tensor is of this backend. Throws `OUT_OF_MEMORY` if it is, but never got its memory. */
  owns(tensor: Tensor): boolean {
    if (!(tensor instanceof GpuTensor) || tensor.gpu !== this) return false;
    for (const { loan } of tensor.parts) if (loan.failed) throw loan.failed;
    return true;
  }

  /** A tensor with undefined contents. */
  make(shape: readonly number[], dtype: DType = 'f32'): GpuTensor {
    return this.#adopt(new GpuTensor(this, [...shape], dtype, this.#lend(shape, dtype)));
  }

  /** A tensor of zeros: of every type the bits are 0. */
  zeros(shape: readonly number[], dtype: DType = 'f32'): GpuTensor {
    const tensor = this.make(shape, dtype);
    for (const { loan, scales } of tensor.parts) {
      this.fill(loan, loan.bytes / 4, 0);
      if (scales) this.fill(scales, scales.bytes / 4, 0);
    }
    return tensor;
  }

  /** Fills the first words of a buffer with these bits. */
  fill(loan: Loan, words: number, bits: number): void {
    this.engine.run('fill', {
      bind: [loan],
      params: [words, bits],
      groups: fold(Math.ceil(words / 1024)),
    });
  }

  /** Part of another tensor's buffer, without a copy; but with one where a replay would change it. */
  view(whole: GpuTensor, shape: readonly number[], offset: number, stride: number): GpuTensor {
    const { loan } = whole;
    if (loan.pins > Number(this.engine.recording?.pinned.has(loan) ?? false)) {
      const copy = this.make(shape, whole.dtype);
      const { rows, columns } = layoutOf(shape, whole.dtype);
      const at = whole.offset + offset;
      this.move(loan, copy.loan, { rows, columns, from: [at, stride], to: [0, columns] });
      return copy;
    }
    loan.holders++;
    const { rows } = layoutOf(shape, whole.dtype);
    const part = { loan, scales: undefined, row: 0, rows };
    return this.#adopt(new GpuTensor(this, [...shape], whole.dtype, [part], whole.offset + offset, stride));
  }

  /** An op's argument. That it lives, and here, was checked before. */
  get(tensor: Tensor): GpuTensor {
    return tensor as GpuTensor;
  }

  /** The buffer of an argument that starts at its first element, without gaps: the tensor's own or a copy. */
  flat(tensor: Tensor): Loan;
  flat(tensor: Tensor | undefined): Loan | undefined;
  flat(tensor: Tensor | undefined): Loan | undefined {
    if (!tensor) return undefined;
    const own = this.get(tensor);
    if (own.offset === 0 && own.contiguous) return own.loan;
    const copy = this.make(own.shape, own.dtype);
    this.copyRows(own, copy);
    return copy.loan;
  }

  /** Copies into the first columns of as many rows; further columns of `to` are set to zero. */
  copyRows(from: GpuTensor, to: GpuTensor): void {
    const { rows, columns } = layoutOf(from.shape, from.dtype);
    this.move(from.loan, to.loan, {
      rows,
      columns,
      width: layoutOf(to.shape, to.dtype).columns,
      from: [from.offset, from.stride],
      to: [to.offset, to.stride],
    });
  }

  /** Copies words from rows to rows, each given by offset and stride, and zeros behind them up to `width`. */
  move(
    from: Loan,
    to: Loan,
    { rows, columns, width = columns, from: [a, aStride], to: [b, bStride] }: Move,
  ): void {
    this.engine.run('copy-rows', {
      bind: [from, to],
      params: [rows, columns, width, a, aStride, b, bStride],
      groups: fold(Math.ceil((rows * width) / 256)),
    });
  }

  /** Gives an argument that is changed in place a buffer that no other tensor sees. */
  own(tensor: Tensor): GpuTensor {
    const own = this.get(tensor);
    const shared = own.parts.some(({ loan }) => loan.holders > 1);
    if (!shared && own.offset === 0 && own.contiguous) return own;
    const parts = this.#lend(own.shape, own.dtype);
    const copy = new GpuTensor(this, own.shape, own.dtype, parts);
    // Once: a captured step goes on with the copy.
    this.engine.unrecorded(() => this.copyRows(own, copy));
    releaseParts(this, own.parts);
    own.parts = parts;
    own.offset = 0;
    own.stride = copy.stride;
    return own;
  }

  upload(data: TensorSource, shape: readonly number[], dtype: DType): GpuTensor {
    const tensor = this.make(shape, dtype);
    this.write(tensor, data);
    return tensor;
  }

  /** Overwrites all values. Rows are converted a piece at a time: a model need not fit into this process twice. */
  write(tensor: GpuTensor, data: TensorSource): void {
    const { columns, pitch, blocks } = layoutOf(tensor.shape, tensor.dtype);
    const piece = Math.max(1, Math.floor(2 ** 22 / Math.max(pitch, 1)));
    for (const { loan, scales, row, rows } of tensor.parts) {
      for (let start = 0; start < rows; start += piece) {
        const count = Math.min(piece, rows - start);
        const from = (row + start) * columns;
        const packed = pack(data, from, count, columns, pitch, tensor.dtype);
        this.engine.upload(loan, packed.words, 4 * start * pitch);
        if (scales && packed.scales) {
          this.engine.upload(scales, new Uint32Array(packed.scales.buffer), 4 * start * blocks);
        }
      }
    }
  }

  #adopt(tensor: GpuTensor): GpuTensor {
    this.ledger.add(tensor, bytesOf(tensor.shape, tensor.dtype));
    return tensor;
  }

  /** Buffers for all rows: one, or as few as the device's largest binding allows. */
  #lend(shape: readonly number[], dtype: DType): Part[] {
    const { pool } = this.engine;
    const { rows, pitch, blocks } = layoutOf(shape, dtype);
    const bytes = 4 * pitch;
    const most = Math.max(1, Math.floor(pool.maxBytes / Math.max(bytes, 1)));
    const parts: Part[] = [];
    try {
      for (let row = 0; row < rows || row === 0; row += most) {
        const count = Math.min(most, rows - row);
        const loan = pool.lend(count * bytes);
        parts.push({ loan, scales: undefined, row, rows: count });
        if (blocks > 0) {
          const scales = pool.lend(4 * count * blocks);
          parts[parts.length - 1] = { loan, scales, row, rows: count };
        }
      }
    } catch (error) {
      releaseParts(this, parts);
      throw error;
    }
    return parts;
  }
}

interface Move {
  rows: number;
  columns: number;
  width?: number;
  /** Offset and stride in words. */
  from: readonly [number, number];
  to: readonly [number, number];
}

/** Workgroups of a long row of them: at most 65535 along x, the rest along y. Kernels put the number together again. */
export function fold(count: number): [number, number] {
  const x = Math.min(count, 65535);
  return [x, x === 0 ? 0 : Math.ceil(count / x)];
}

/** Rows as they lie in a buffer: see layout.ts. */
function pack(
  data: TensorSource,
  from: number,
  rows: number,
  columns: number,
  pitch: number,
  dtype: DType,
): { words: Uint32Array<ArrayBuffer>; scales?: Float32Array<ArrayBuffer> } {
  const values = data.slice(from, from + rows * columns);
  if (!isStorageType(dtype)) {
    const words = dtype === 'i32' ? Int32Array.from(values) : Float32Array.from(values);
    return { words: new Uint32Array(words.buffer) };
  }
  const words = new Uint32Array(rows * pitch);
  if (dtype === 'int8') {
    const { values: bytes, scales } = quantizeInt8(values, rows, columns);
    place(bytes, new Int8Array(words.buffer), rows, columns, 4 * pitch);
    return { words, scales: Float32Array.from(scales) };
  }
  const bits = values instanceof Uint16Array ? values : narrow(values, dtype);
  place(bits, new Uint16Array(words.buffer), rows, columns, 2 * pitch);
  return { words };
}

function place<T extends Int8Array | Uint16Array>(
  from: T,
  to: T,
  rows: number,
  columns: number,
  pitch: number,
): void {
  for (let row = 0; row < rows; row++) {
    to.set(from.subarray(row * columns, (row + 1) * columns), row * pitch);
  }
}
