import { checkBinary, checkExp, checkSilu, checkSiluBackward } from '@mamba-ts/backend';
import { floats } from '../cpu-tensor.js';
import type { Kernel } from '../kernel.js';
import { silu as siluOf, siluSlope } from '../math.js';

export const add: Kernel<'add'> = (make, inputs) => {
  const { dtype, shape, size } = checkBinary('add', inputs);
  const a = floats(inputs.a);
  const b = floats(inputs.b);
  const y = make(shape, dtype);
  const values = floats(y);
  for (let i = 0; i < size; i++) values[i] = a[i] + b[i];
  return y;
};

export const mul: Kernel<'mul'> = (make, inputs) => {
  const { dtype, shape, size } = checkBinary('mul', inputs);
  const a = floats(inputs.a);
  const b = floats(inputs.b);
  const y = make(shape, dtype);
  const values = floats(y);
  for (let i = 0; i < size; i++) values[i] = a[i] * b[i];
  return y;
};

/** x / (1 + e^-x) */
export const silu: Kernel<'silu'> = (make, inputs) => {
  const { dtype, shape, size } = checkSilu(inputs);
  const x = floats(inputs.x);
  const y = make(shape, dtype);
  const values = floats(y);
  for (let i = 0; i < size; i++) values[i] = siluOf(x[i]);
  return y;
};

export const siluBackward: Kernel<'siluBackward'> = (make, inputs, grads) => {
  const { dtype, shape, size } = checkSiluBackward(inputs, grads);
  const x = floats(inputs.x);
  const dy = floats(grads.dy);
  const dx = make(shape, dtype);
  const values = floats(dx);
  for (let i = 0; i < size; i++) values[i] = dy[i] * siluSlope(x[i]);
  return { dx };
};

export const exp: Kernel<'exp'> = (make, inputs) => {
  const { dtype, shape, size } = checkExp(inputs);
  const { sign = 1 } = inputs;
  const x = floats(inputs.x);
  const y = make(shape, dtype);
  const values = floats(y);
  for (let i = 0; i < size; i++) values[i] = sign * Math.exp(x[i]);
  return y;
};
