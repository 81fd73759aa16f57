import { checkSplit } from '@mamba-ts/backend';
import { numbers } from '../cpu-tensor.js';
import type { Kernel } from '../kernel.js';

export const split: Kernel<'split'> = (make, inputs) => {
  const { dtype, axis, shape, shapes, sizes, outer, inner } = checkSplit(inputs);
  const x = numbers(inputs.x);
  const row = shape[axis] * inner;
  let column = 0;
  return sizes.map((size, i) => {
    const piece = make(shapes[i], dtype);
    const width = size * inner;
    for (let o = 0; o < outer; o++) {
      const at = o * row + column;
      numbers(piece).set(x.subarray(at, at + width), o * width);
    }
    column += width;
    return piece;
  });
};
