import { checkGradNorm } from '@mamba-ts/backend';
import { floats } from '../cpu-tensor.js';
import type { Kernel } from '../kernel.js';

export const gradNorm: Kernel<'gradNorm'> = (make, inputs) => {
  const { dtype } = checkGradNorm(inputs);
  const norm = make([], dtype);
  let squares = 0;
  for (const grad of inputs.grads) {
    const values = floats(grad);
    for (let i = 0; i < values.length; i++) squares += values[i] * values[i];
  }
  floats(norm)[0] = Math.sqrt(squares);
  return norm;
};
