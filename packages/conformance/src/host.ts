import type { TensorData } from '@mamba-ts/backend';

/** Values in this process: what a case is made of before it is uploaded, and what a backend's answer becomes. */
export interface HostTensor {
  readonly shape: readonly number[];
  /** f64 and f32 are uploaded as the type under test; i32 stays. */
  readonly dtype: 'f64' | 'f32' | 'i32';
  readonly data: TensorData;
}

export function isHostTensor(value: unknown): value is HostTensor {
  return typeof value === 'object' && value !== null && 'shape' in value && 'data' in value;
}

export function hostF64(data: ArrayLike<number>, shape: readonly number[]): HostTensor {
  return { shape, dtype: 'f64', data: Float64Array.from(data) };
}

export function hostF32(data: ArrayLike<number>, shape: readonly number[]): HostTensor {
  return { shape, dtype: 'f32', data: Float32Array.from(data) };
}

export function hostI32(data: ArrayLike<number>, shape: readonly number[]): HostTensor {
  return { shape, dtype: 'i32', data: Int32Array.from(data) };
}
