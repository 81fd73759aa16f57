import { checkConcat, checkSplit, type Tensor } from '@mamba-ts/backend';
import type { Gpu } from '../gpu.js';

/** Pieces along the last axis, or of a single run, are views: they cost nothing. Others are copied. */
export function split(gpu: Gpu, inputs: { x: Tensor; sizes: readonly number[]; axis: number }): Tensor[] {
  const { dtype, axis, outer, inner, sizes, shapes, shape } = checkSplit(inputs);
  const x = gpu.get(inputs.x);
  const width = shape[axis]! * inner;
  let start = 0;
  return sizes.map((size, i) => {
    const from = start * inner;
    start += size;
    const last = axis === shape.length - 1;
    if (x.parts.length === 1) {
      if (last) return gpu.view(x, shapes[i]!, from, x.stride);
      if (outer === 1 && x.contiguous) return gpu.view(x, shapes[i]!, from, shape.at(-1)!);
    }
    const piece = gpu.make(shapes[i]!, dtype);
    gpu.move(gpu.flat(x), piece.loan, {
      rows: outer,
      columns: size * inner,
      from: [from, width],
      to: [0, size * inner],
    });
    return piece;
  });
}

export function concat(gpu: Gpu, inputs: { tensors: readonly Tensor[]; axis: number }): Tensor {
  const { dtype, axis, outer, inner, sizes, shape } = checkConcat(inputs);
  const whole = gpu.make(shape, dtype);
  const width = shape[axis]! * inner;
  let start = 0;
  inputs.tensors.forEach((tensor, i) => {
    const columns = sizes[i]! * inner;
    const x = gpu.get(tensor);
    const last = axis === shape.length - 1;
    gpu.move(last ? x.loan : gpu.flat(x), whole.loan, {
      rows: outer,
      columns,
      from: last ? [x.offset, x.stride] : [0, columns],
      to: [start * inner, width],
    });
    start += sizes[i]!;
  });
  return whole;
}
