/**
 * Element types of the safetensors format, in lower case. `read` gives:
 *
 * - `f64`, `f32`, `i32`, `u32`, `i16`, `u16`, `i8`, `u8`: the typed array of that name; `i64`, `u64`: BigInt arrays.
 * - `f16`, `bf16`: raw bits in a Uint16Array (`widen` of `@mamba-ts/backend` turns them into f32).
 * - `bool`: one byte an element in a Uint8Array.
 * - `c64`: a Float32Array of (re, im) pairs.
 * - the 8-bit floats, and `f6_*` and `f4`, whose elements are packed: raw bytes in a Uint8Array.
 */
export type CheckpointDType = keyof typeof DTYPES;

/** The typed array in which the elements of a dtype are read and written. */
export type CheckpointData =
  | Float64Array
  | Float32Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array;

interface DTypeInfo {
  /** Bits of one element. */
  readonly bits: number;
  /** Its view. */
  readonly array: new (
    buffer: ArrayBufferLike,
    byteOffset: number,
    length: number,
  ) => CheckpointData;
}

/*
 * In the order in which the official library (0.8) lays tensors out in a file: from the least to the most aligned. The
 * writer goes through it backwards, so our files are its files, byte for byte.
 */
export const DTYPES = {
  bool: { bits: 8, array: Uint8Array },
  f4: { bits: 4, array: Uint8Array },
  f6_e2m3: { bits: 6, array: Uint8Array },
  f6_e3m2: { bits: 6, array: Uint8Array },
  u8: { bits: 8, array: Uint8Array },
  i8: { bits: 8, array: Int8Array },
  f8_e5m2: { bits: 8, array: Uint8Array },
  f8_e4m3: { bits: 8, array: Uint8Array },
  f8_e8m0: { bits: 8, array: Uint8Array },
  f8_e4m3fnuz: { bits: 8, array: Uint8Array },
  f8_e5m2fnuz: { bits: 8, array: Uint8Array },
  i16: { bits: 16, array: Int16Array },
  u16: { bits: 16, array: Uint16Array },
  f16: { bits: 16, array: Uint16Array },
  bf16: { bits: 16, array: Uint16Array },
  i32: { bits: 32, array: Int32Array },
  u32: { bits: 32, array: Uint32Array },
  f32: { bits: 32, array: Float32Array },
  c64: { bits: 64, array: Float32Array },
  f64: { bits: 64, array: Float64Array },
  i64: { bits: 64, array: BigInt64Array },
  u64: { bits: 64, array: BigUint64Array },
} as const satisfies Record<string, DTypeInfo>;

export const DTYPE_NAMES = Object.keys(DTYPES) as CheckpointDType[];

/** The dtype of a name in a file (`F32`), if it is one. */
export function dtypeOfFile(name: unknown): CheckpointDType | undefined {
  return DTYPE_NAMES.find((dtype) => dtype.toUpperCase() === name);
}

/** Bytes that `elements` take; undefined where they do not fill whole bytes or the count passes 2^53. */
export function bytesOf(dtype: CheckpointDType, elements: number): number | undefined {
  const { bits } = DTYPES[dtype];
  const bytes = bits >= 8 ? elements * (bits / 8) : (elements / 8) * bits;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** The number of elements of a shape; undefined where a running product passes 2^53. The empty shape is a scalar. */
export function elementsOf(shape: readonly number[]): number | undefined {
  let product = 1;
  for (const n of shape) {
    product *= n;
    if (!Number.isSafeInteger(product)) return undefined;
  }
  return product;
}

/** Bytes as elements: a view where they are aligned, a copy where they are not. */
export function viewAs(bytes: Uint8Array, dtype: CheckpointDType): CheckpointData {
  const { array } = DTYPES[dtype];
  const width = array.BYTES_PER_ELEMENT;
  const aligned = bytes.byteOffset % width === 0 ? bytes : bytes.slice();
  return new array(aligned.buffer as ArrayBuffer, aligned.byteOffset, aligned.byteLength / width);
}
