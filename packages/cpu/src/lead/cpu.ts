import { type DType, sizeOf, type Tensor } from '@mamba-ts/backend';
import type { CpuTensor, Floats } from './tensor.js';

/** What ops need of the backend: reading tensors that are its own, and making new ones. */
export interface Cpu {
  /** A new tensor that takes `values` over. */
  make(values: Floats | Int32Array, shape: readonly number[], dtype: DType): CpuTensor;
  /** Throws `INVALID_ARGUMENT` for another backend's tensor, `DISPOSED` after dispose. */
  own(x: Tensor): CpuTensor;
}

/** The numbers of a floating tensor. */
export function floats(cpu: Cpu, x: Tensor): Floats {
  return cpu.own(x).values as Floats;
}

export function optionalFloats(cpu: Cpu, x: Tensor | undefined): Floats | undefined {
  return x === undefined ? undefined : floats(cpu, x);
}

export function ints(cpu: Cpu, x: Tensor): Int32Array {
  return cpu.own(x).values as Int32Array;
}

/** The type that results have: f64 stays f64, everything else gives f32. */
export function resultType(x: Tensor): 'f32' | 'f64' {
  return x.dtype === 'f64' ? 'f64' : 'f32';
}

export function allocate(dtype: 'f32' | 'f64', size: number): Floats {
  return dtype === 'f64' ? new Float64Array(size) : new Float32Array(size);
}

/** A new tensor with the numbers of `values`, rounded to its type. Sums are kept in f64 until here. */
export function round(
  cpu: Cpu,
  values: Float64Array,
  shape: readonly number[],
  dtype: 'f32' | 'f64',
): CpuTensor {
  return cpu.make(dtype === 'f64' ? values : new Float32Array(values), shape, dtype);
}

/** The last axis, and how many rows of it there are. */
export function rowsOf(shape: readonly number[]): { rows: number; columns: number } {
  const columns = shape.at(-1) ?? 1;
  return { rows: columns === 0 ? 0 : sizeOf(shape) / columns, columns };
}
