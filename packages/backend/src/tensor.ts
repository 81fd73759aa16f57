/**
 * Element types.
 *
 * - `f64`: only where the backend says so (cpu); the oracle's type.
 * - `f32`: activations, states, gradients, and weights by default.
 * - `f16`, `bf16`: weights of `linear` and `embedding`; widened to f32 in the kernel.
 * - `int8`: weights of `linear` and `embedding`, quantised by blocks of 64 along the last axis (see `quantizeInt8`).
 * - `i32`: token ids and sequence indices.
 */
export type DType = 'f64' | 'f32' | 'f16' | 'bf16' | 'int8' | 'i32';

/** What `Tensor.data` gives: Float64Array for f64, Int32Array for i32, Float32Array (widened) for the rest. */
export type TensorData = Float64Array | Float32Array | Int32Array;

/** What `Backend.tensor` takes: numbers of any kind, or the raw bits of f16 and bf16 in a Uint16Array. */
export type TensorSource = TensorData | readonly number[] | Uint16Array;

/** A row-major, contiguous array that lives on a backend. Immutable, but for the in-place ops that say so. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly disposed: boolean;
  /** Reads the values back: the only wait in the contract. A copy. Throws `DISPOSED`, `DEVICE_LOST`. */
  data(): Promise<TensorData>;
  /** Frees the memory. Idempotent. */
  dispose(): void;
}

/** A complex tensor as two real ones of one shape. */
export interface ComplexTensor {
  readonly re: Tensor;
  readonly im: Tensor;
}

export type MaybeComplex = Tensor | ComplexTensor;

export function isComplex(x: MaybeComplex): x is ComplexTensor {
  return 're' in x;
}

/** The number of elements of a shape. The empty shape is a scalar: 1. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}
