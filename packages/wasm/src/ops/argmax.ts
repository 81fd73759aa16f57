import { checkArgmax } from '@mamba-ts/backend';
import { ARGMAX } from '../kernel-ids.js';
import { addressOf, ceilDiv, type Op } from './op.js';

export const argmax: Op<'argmax'> = (runtime, inputs) => {
  const { rows, columns, shape } = checkArgmax(inputs);
  const y = runtime.empty(shape, 'i32');
  runtime.run({
    kernel: ARGMAX,
    pieces: ceilDiv(rows, 16),
    ints: [addressOf(inputs.x), y.address, rows, columns],
    work: (rows * columns) / 2,
  });
  return y;
};
