import type { Tensor } from '@mamba-ts/backend';
import { floats } from './cpu-tensor.js';

/*
 * [B, L, D] by its columns: one channel of one batch row over time. Column b D + d lies every D numbers.
 */

export function readColumn(x: Tensor, column: number, out: Float64Array): void {
  const values = floats(x);
  const [start, channels] = startOf(x, column);
  for (let t = 0; t < out.length; t++) out[t] = values[start + t * channels];
}

export function writeColumn(x: Tensor, column: number, data: Float64Array): void {
  const values = floats(x);
  const [start, channels] = startOf(x, column);
  for (let t = 0; t < data.length; t++) values[start + t * channels] = data[t];
}

function startOf({ shape }: Tensor, column: number): [start: number, channels: number] {
  const [, length, channels] = shape;
  return [Math.floor(column / channels) * length * channels + (column % channels), channels];
}
