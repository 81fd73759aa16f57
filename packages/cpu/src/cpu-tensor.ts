import {
  type DType,
  dequantizeInt8,
  INT8_BLOCK,
  type Int8Matrix,
  MambaError,
  narrow,
  quantizeInt8,
  sizeOf,
  type Tensor,
  type TensorData,
  type TensorSource,
  widen,
} from '@mamba-ts/backend';

/** The arrays of floating tensors. Arithmetic is in f64 whatever they hold; an f32 tensor rounds what is stored in it. */
export type Floats = Float64Array | Float32Array;

/** What holds the values of each type: f16 and bf16 as bits, int8 with its scales. */
type Storage = Floats | Int32Array | Uint16Array | Int8Matrix;

/** A tensor of the cpu backend: an array in this process's memory. */
export class CpuTensor implements Tensor {
  readonly shape: readonly number[];
  readonly dtype: DType;
  #storage: Storage | undefined;
  readonly #forget: (tensor: CpuTensor) => void;

  /** `forget` is told when the tensor is disposed. */
  constructor(shape: readonly number[], dtype: DType, storage: Storage, forget: (tensor: CpuTensor) => void) {
    this.shape = Object.freeze([...shape]);
    this.dtype = dtype;
    this.#storage = storage;
    this.#forget = forget;
  }

  get disposed(): boolean {
    return this.#storage === undefined;
  }

  get storage(): Storage {
    if (this.#storage === undefined) {
      throw new MambaError(
        'DISPOSED',
        'tensor: it was disposed: keep a tensor until its last use, or copy it',
      );
    }
    return this.#storage;
  }

  async data(): Promise<TensorData> {
    const { storage, dtype, shape } = this;
    if (dtype === 'f16' || dtype === 'bf16') return widen(storage as Uint16Array, dtype);
    if (dtype === 'int8') {
      const columns = shape.at(-1)!;
      return dequantizeInt8(storage as Int8Matrix, rowsOf(shape), columns);
    }
    return (storage as TensorData).slice();
  }

  dispose(): void {
    if (this.#storage === undefined) return;
    this.#storage = undefined;
    this.#forget(this);
  }
}

/** Bytes that a tensor of this type and shape holds. */
export function bytesOf(shape: readonly number[], dtype: DType): number {
  const size = sizeOf(shape);
  switch (dtype) {
    case 'f64':
      return 8 * size;
    case 'f32':
    case 'i32':
      return 4 * size;
    case 'f16':
    case 'bf16':
      return 2 * size;
    case 'int8':
      return size + 4 * rowsOf(shape) * Math.ceil(shape.at(-1)! / INT8_BLOCK);
  }
}

/** Values of zero. */
export function zeroStorage(shape: readonly number[], dtype: DType): Storage {
  const size = sizeOf(shape);
  switch (dtype) {
    case 'f64':
      return new Float64Array(size);
    case 'f32':
      return new Float32Array(size);
    case 'i32':
      return new Int32Array(size);
    case 'f16':
    case 'bf16':
      return new Uint16Array(size);
    case 'int8':
      return {
        values: new Int8Array(size),
        scales: new Float32Array(rowsOf(shape) * Math.ceil(shape.at(-1)! / INT8_BLOCK)),
      };
  }
}

/** `data` as a tensor of this type keeps it. A copy. */
export function storageOf(data: TensorSource, shape: readonly number[], dtype: DType): Storage {
  switch (dtype) {
    case 'f64':
      return new Float64Array(data);
    case 'f32':
      return new Float32Array(data);
    case 'i32':
      return new Int32Array(data);
    case 'f16':
    case 'bf16':
      return data instanceof Uint16Array ? data.slice() : narrow(data, dtype);
    case 'int8':
      return quantizeInt8(data, rowsOf(shape), shape.at(-1)!);
  }
}

/** Copies all that a tensor keeps into another of its type and shape. */
export function copyValues(from: CpuTensor, to: CpuTensor): void {
  if (from.dtype === 'int8') {
    const [source, target] = [from.storage as Int8Matrix, to.storage as Int8Matrix];
    target.values.set(source.values);
    target.scales.set(source.scales);
  } else {
    (to.storage as TensorData).set(from.storage as TensorData);
  }
}

/** The array of a tensor that was checked to be f32 or f64. */
export function floats(x: Tensor): Floats {
  return (x as CpuTensor).storage as Floats;
}

export function optionalFloats(x: Tensor | undefined): Floats | undefined {
  return x && floats(x);
}

/** The array of a tensor that was checked to be i32. */
export function ints(x: Tensor): Int32Array {
  return (x as CpuTensor).storage as Int32Array;
}

/** The array of a tensor that was checked to be f32, f64 or i32. */
export function numbers(x: Tensor): TensorData {
  return (x as CpuTensor).storage as TensorData;
}

/** Rows `from` to `to` of a weight [rows, columns], widened where it is stored in a smaller type. Not to be written to. */
export function weightRows(x: Tensor, from: number, to: number): Floats {
  const { storage, dtype, shape } = x as CpuTensor;
  const columns = shape[1];
  const [start, end] = [from * columns, to * columns];
  if (dtype === 'f16' || dtype === 'bf16') return widen((storage as Uint16Array).subarray(start, end), dtype);
  if (dtype === 'int8') {
    const { values, scales } = storage as Int8Matrix;
    const blocks = Math.ceil(columns / INT8_BLOCK);
    const rows = {
      values: values.subarray(start, end),
      scales: scales.subarray(from * blocks, to * blocks),
    };
    return dequantizeInt8(rows, to - from, columns);
  }
  return (storage as Floats).subarray(start, end);
}

/** Rows of the matrix that int8 quantises: all axes but the last. */
function rowsOf(shape: readonly number[]): number {
  return sizeOf(shape.slice(0, -1));
}
