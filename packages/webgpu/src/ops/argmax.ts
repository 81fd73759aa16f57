import { checkArgmax, type Tensor } from '@mamba-ts/backend';
import type { Gpu } from '../gpu.js';
import { choose } from './sample.js';

export function argmax(gpu: Gpu, inputs: { x: Tensor }): Tensor {
  const { rows, columns, shape } = checkArgmax(inputs);
  const token = gpu.make(shape, 'i32');
  choose(gpu, inputs.x, token, { rows, columns, vocabulary: columns, topK: 0, topP: 1, minP: 0 }, 0);
  return token;
}
