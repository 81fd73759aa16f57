import type { Tensor } from '@mamba-ts/backend';
import { type Floats, floats } from './cpu-tensor.js';

/**
 * Sums of many terms are taken in f64 and rounded once: a sum of thousands in f32 would lose digits term by term. For an
 * f64 tensor this is its own array.
 */
export function accumulator(x: Tensor): Float64Array {
  const values = floats(x);
  return values instanceof Float64Array ? values : new Float64Array(values.length);
}

/** Rounds the sums of `accumulator(x)` into `x`. */
export function store(sums: Float64Array, x: Tensor): void {
  const values = floats(x);
  if ((values as Floats) !== sums) values.set(sums);
}
