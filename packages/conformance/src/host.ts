import { dequantizeInt8, narrow, quantizeInt8, sizeOf, type TensorData, widen } from '@mamba-ts/backend';

/** Values in this process: what a case is made of before it is uploaded, and what a backend's answer becomes. */
export interface HostTensor {
  readonly shape: readonly number[];
  /** f64 and f32 are uploaded as the type under test; i32 stays. */
  readonly dtype: 'f64' | 'f32' | 'i32';
  readonly data: TensorData;
  /** A weight that the backend keeps in this type. The oracle is given what the rounded weight stands for. */
  readonly stored?: 'f16' | 'bf16' | 'int8';
}

export function hostF32(data: ArrayLike<number>, shape: readonly number[]): HostTensor {
  return { shape, dtype: 'f32', data: Float32Array.from(data) };
}

export function hostI32(data: ArrayLike<number>, shape: readonly number[]): HostTensor {
  return { shape, dtype: 'i32', data: Int32Array.from(data) };
}

export function isHostTensor(value: unknown): value is HostTensor {
  return typeof value === 'object' && value !== null && 'shape' in value && 'data' in value;
}

/** What a weight stands for once it was rounded to its stored type. */
export function rounded({ shape, data, stored }: HostTensor): HostTensor {
  if (stored === undefined) throw new RangeError('rounded: this tensor has no stored type');
  const columns = shape.at(-1) as number;
  const rows = sizeOf(shape) / columns;
  const values =
    stored === 'int8'
      ? dequantizeInt8(quantizeInt8(data, rows, columns), rows, columns)
      : widen(narrow(data, stored), stored);
  return { shape, dtype: 'f32', data: values };
}

/** Elements `start` to `end` of one axis. */
export function slice(tensor: HostTensor, axis: number, start: number, end: number): HostTensor {
  const { shape, data } = tensor;
  const inner = sizeOf(shape.slice(axis + 1));
  const outer = sizeOf(shape.slice(0, axis));
  const length = shape[axis];
  const out = data.slice(0, outer * (end - start) * inner);
  for (let o = 0; o < outer; o++) {
    const from = (o * length + start) * inner;
    out.set(data.subarray(from, from + (end - start) * inner), o * (end - start) * inner);
  }
  return { ...tensor, shape: shape.with(axis, end - start), data: out };
}

/** The reverse of cutting into slices. */
export function join(pieces: readonly HostTensor[], axis: number): HostTensor {
  const first = pieces[0] as HostTensor;
  const inner = sizeOf(first.shape.slice(axis + 1));
  const outer = sizeOf(first.shape.slice(0, axis));
  const length = pieces.reduce((sum, { shape }) => sum + shape[axis], 0);
  const out = new Float64Array(outer * length * inner);
  let at = 0;
  for (const { shape, data } of pieces) {
    const row = shape[axis] * inner;
    for (let o = 0; o < outer; o++) out.set(data.subarray(o * row, (o + 1) * row), o * length * inner + at);
    at += row;
  }
  return { shape: first.shape.with(axis, length), dtype: 'f64', data: out };
}

/** Elementwise sum, in f64. */
export function total(parts: readonly HostTensor[]): HostTensor {
  const { shape, data } = parts[0] as HostTensor;
  const sum = Float64Array.from(data);
  for (const part of parts.slice(1)) for (let i = 0; i < sum.length; i++) sum[i] += part.data[i];
  return { shape, dtype: 'f64', data: sum };
}
