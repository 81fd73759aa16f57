import { checkArgmax } from '@mamba-ts/backend';
import { floats, ints } from '../cpu-tensor.js';
import type { Kernel } from '../kernel.js';

export const argmax: Kernel<'argmax'> = (make, inputs) => {
  const { rows, columns, shape } = checkArgmax(inputs);
  const x = floats(inputs.x);
  const y = make(shape, 'i32');
  const indices = ints(y);
  for (let row = 0; row < rows; row++) {
    const at = row * columns;
    let best = 0;
    for (let i = 1; i < columns; i++) if (x[at + i] > x[at + best]) best = i;
    indices[row] = best;
  }
  return y;
};
