import type { Tensor } from '@mamba-ts/backend';
import { type Cpu, floats, resultType } from '../cpu.js';
import type { Floats } from '../tensor.js';

export function sigmoid(x: number): number {
  // exp of a negative number only: no overflow on either side.
  const e = Math.exp(-Math.abs(x));
  return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

/** x sigmoid(x) */
export function siluOf(x: number): number {
  return x * sigmoid(x);
}

/** Its derivative. */
export function siluSlope(x: number): number {
  const s = sigmoid(x);
  return s * (1 + x * (1 - s));
}

export function add(cpu: Cpu, { a, b }: { a: Tensor; b: Tensor }): Tensor {
  const bs = floats(cpu, b);
  return map(cpu, a, (value, i) => value + bs[i]);
}

export function mul(cpu: Cpu, { a, b }: { a: Tensor; b: Tensor }): Tensor {
  const bs = floats(cpu, b);
  return map(cpu, a, (value, i) => value * bs[i]);
}

export function silu(cpu: Cpu, { x }: { x: Tensor }): Tensor {
  return map(cpu, x, siluOf);
}

export function siluBackward(cpu: Cpu, { x }: { x: Tensor }, grads: { dy: Tensor }): { dx: Tensor } {
  const dy = floats(cpu, grads.dy);
  return { dx: map(cpu, x, (value, i) => dy[i] * siluSlope(value)) };
}

/** sign exp(x) */
export function exp(cpu: Cpu, { x, sign = 1 }: { x: Tensor; sign?: 1 | -1 | undefined }): Tensor {
  return map(cpu, x, (value) => sign * Math.exp(value));
}

function map(cpu: Cpu, x: Tensor, f: (value: number, i: number) => number): Tensor {
  const values: Floats = floats(cpu, x);
  return cpu.make(values.map(f), x.shape, resultType(x));
}
