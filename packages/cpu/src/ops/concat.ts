import { checkConcat } from '@mamba-ts/backend';
import { numbers } from '../cpu-tensor.js';
import type { Kernel } from '../kernel.js';

export const concat: Kernel<'concat'> = (make, inputs) => {
  const { dtype, axis, shape, sizes, outer, inner } = checkConcat(inputs);
  const whole = make(shape, dtype);
  const row = shape[axis] * inner;
  let column = 0;
  inputs.tensors.forEach((piece, i) => {
    const width = sizes[i] * inner;
    for (let o = 0; o < outer; o++) {
      numbers(whole).set(numbers(piece).subarray(o * width, (o + 1) * width), o * row + column);
    }
    column += width;
  });
  return whole;
};
