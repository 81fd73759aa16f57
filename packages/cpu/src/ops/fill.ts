import { checkFill } from '@mamba-ts/backend';
import { numbers } from '../cpu-tensor.js';
import type { Kernel } from '../kernel.js';

export const fill: Kernel<'fill'> = (make, inputs) => {
  const { dtype } = checkFill(inputs);
  const y = make(inputs.shape, dtype);
  numbers(y).fill(inputs.value);
  return y;
};
