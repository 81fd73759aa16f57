import type { Tensor } from '@mamba-ts/backend';
import { type Cpu, floats, rowsOf } from '../cpu.js';

/** The place of the largest of each row; the first of equals. */
export function argmax(cpu: Cpu, { x }: { x: Tensor }): Tensor {
  const { rows, columns } = rowsOf(x.shape);
  const values = floats(cpu, x);
  const places = new Int32Array(rows);
  for (let row = 0; row < rows; row++) {
    let best = 0;
    for (let i = 1; i < columns; i++) {
      if (values[row * columns + i] > values[row * columns + best]) best = i;
    }
    places[row] = best;
  }
  return cpu.make(places, x.shape.slice(0, -1), 'i32');
}
