import {
  type DType,
  dequantizeInt8,
  MambaError,
  type Tensor,
  type TensorData,
  widen,
} from '@mamba-ts/backend';
import type { Gpu } from './gpu.js';
import { layoutOf } from './layout.js';
import type { Loan } from './pool.js';

/** Consecutive rows of a tensor in a buffer of their own. */
export interface Part {
  readonly loan: Loan;
  /** Of int8: one f32 a block. */
  readonly scales: Loan | undefined;
  readonly row: number;
  readonly rows: number;
}

/**
 * A tensor on the GPU. Mostly one buffer; a tensor larger than the device binds at once is cut into parts along its rows. The
 * pieces of a `split` along the last axis share its buffer: then `stride` is wider than the last axis.
 */
export class GpuTensor implements Tensor {
  readonly gpu: Gpu;
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** Elements before the first one; 0 unless it is a view. */
  offset: number;
  /** Elements from one row to the next. */
  stride: number;
  parts: readonly Part[];
  #disposed = false;

  constructor(
    gpu: Gpu,
    shape: readonly number[],
    dtype: DType,
    parts: readonly Part[],
    offset = 0,
    stride = shape.at(-1) ?? 1,
  ) {
    this.gpu = gpu;
    this.shape = shape;
    this.dtype = dtype;
    this.parts = parts;
    this.offset = offset;
    this.stride = stride;
  }

  /** The buffer of a tensor that is not cut. */
  get loan(): Loan {
    if (this.parts.length > 1) {
      const { bytes } = this.parts[0]!.loan;
      throw new MambaError(
        'OUT_OF_MEMORY',
        `A tensor [${this.shape.join(', ')}] is larger than the ${this.gpu.engine.pool.maxBytes} bytes that this device binds at once, which only weights may be. Use a smaller batch or shorter pieces`,
        { details: { bytes: bytes * this.parts.length, limit: this.gpu.engine.pool.maxBytes } },
      );
    }
    return this.parts[0]!.loan;
  }

  /** Rows follow each other without gaps. */
  get contiguous(): boolean {
    const { rows, columns } = layoutOf(this.shape, this.dtype);
    return this.stride === columns || rows <= 1;
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  async data(): Promise<TensorData> {
    if (this.#disposed) {
      throw new MambaError('DISPOSED', `data: this tensor [${this.shape.join(', ')}] was disposed`);
    }
    const { engine } = this.gpu;
    engine.errors.check();
    const { columns, pitch, blocks } = layoutOf(this.shape, this.dtype);
    const size = this.shape.reduce((product, n) => product * n, 1);
    const out = this.dtype === 'i32' ? new Int32Array(size) : new Float32Array(size);
    const stride = this.stride === columns ? pitch : this.stride;
    const words = (rows: number) => (rows === 0 ? 0 : (rows - 1) * stride + pitch);
    await Promise.all(
      this.parts.map(async ({ loan, scales, row, rows }) => {
        if (rows * columns === 0) return;
        const [values, factors] = await Promise.all([
          engine.read(loan, 4 * this.offset, 4 * words(rows)),
          scales && engine.read(scales, 0, 4 * rows * blocks),
        ]);
        for (let i = 0; i < rows; i++) {
          const at = 4 * i * stride;
          const scale = factors && new Float32Array(factors, 4 * i * blocks, blocks);
          out.set(decode(values, at, columns, this.dtype, scale), (row + i) * columns);
        }
      }),
    );
    return out;
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.gpu.ledger.remove(this);
    releaseParts(this.gpu, this.parts);
  }
}

export function releaseParts({ engine: { pool } }: Gpu, parts: readonly Part[]): void {
  for (const { loan, scales } of parts) {
    pool.release(loan);
    if (scales) pool.release(scales);
  }
}

function decode(
  bytes: ArrayBuffer,
  at: number,
  columns: number,
  dtype: DType,
  scales: Float32Array | undefined,
): TensorData {
  if (dtype === 'i32') return new Int32Array(bytes, at, columns);
  if (dtype === 'int8')
    return dequantizeInt8({ values: new Int8Array(bytes, at, columns), scales: scales! }, 1, columns);
  if (dtype === 'f16' || dtype === 'bf16') return widen(new Uint16Array(bytes, at, columns), dtype);
  return new Float32Array(bytes, at, columns);
}
