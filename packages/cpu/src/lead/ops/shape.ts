import { sizeOf, type Tensor } from '@mamba-ts/backend';
import type { Cpu } from '../cpu.js';
import type { CpuTensor } from '../tensor.js';

/** Cuts `axis` into pieces of these sizes. */
export function split(
  cpu: Cpu,
  { x, sizes, axis }: { x: Tensor; sizes: readonly number[]; axis: number },
): Tensor[] {
  const { values } = cpu.own(x);
  const at = axis < 0 ? axis + x.shape.length : axis;
  const outer = sizeOf(x.shape.slice(0, at));
  const inner = sizeOf(x.shape.slice(at + 1));
  const stride = x.shape[at] * inner;
  let start = 0;
  return sizes.map((size) => {
    const piece = new (values.constructor as Float32ArrayConstructor)(outer * size * inner);
    for (let i = 0; i < outer; i++) {
      const from = i * stride + start * inner;
      piece.set(values.subarray(from, from + size * inner), i * size * inner);
    }
    start += size;
    return cpu.make(piece, x.shape.with(at, size), x.dtype);
  });
}

/** Joins tensors that differ in `axis` at most. */
export function concat(cpu: Cpu, { tensors, axis }: { tensors: readonly Tensor[]; axis: number }): Tensor {
  const parts: CpuTensor[] = tensors.map((tensor) => cpu.own(tensor));
  const { shape, dtype, values } = parts[0];
  const at = axis < 0 ? axis + shape.length : axis;
  const outer = sizeOf(shape.slice(0, at));
  const inner = sizeOf(shape.slice(at + 1));
  const total = parts.reduce((sum, part) => sum + part.shape[at], 0);
  const joined = new (values.constructor as Float32ArrayConstructor)(outer * total * inner);
  let start = 0;
  for (const part of parts) {
    const width = part.shape[at] * inner;
    for (let i = 0; i < outer; i++) {
      joined.set(part.values.subarray(i * width, (i + 1) * width), i * total * inner + start);
    }
    start += width;
  }
  return cpu.make(joined, shape.with(at, total), dtype);
}

export function copy(cpu: Cpu, { x }: { x: Tensor }): Tensor {
  return cpu.make(cpu.own(x).values.slice(), x.shape, x.dtype);
}

export function fill(
  cpu: Cpu,
  {
    shape,
    value,
    dtype = 'f32',
  }: { shape: readonly number[]; value: number; dtype?: 'f32' | 'f64' | 'i32' | undefined },
): Tensor {
  const arrays = { f32: Float32Array, f64: Float64Array, i32: Int32Array };
  return cpu.make(new arrays[dtype](sizeOf(shape)).fill(value), shape, dtype);
}
