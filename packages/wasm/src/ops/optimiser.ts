import { checkAdamW, checkGradNorm } from '@mamba-ts/backend';
import { ADAMW, SQUARES } from '../kernel-ids.js';
import { elementwise } from './elementwise.js';
import { addressOf, ceilDiv, type Op, own } from './op.js';

/** Elements whose squares are added up together: see assembly/elementwise.ts. */
const PIECE = 16384;

export const gradNorm: Op<'gradNorm'> = (runtime, inputs) => {
  checkGradNorm(inputs);
  const norm = runtime.empty([]);
  let sum = 0;
  for (const grad of inputs.grads.map(own)) {
    const pieces = ceilDiv(grad.size, PIECE);
    if (pieces === 0) continue;
    runtime.withMemory(8 * pieces, (sums) => {
      runtime.run({ kernel: SQUARES, pieces, ints: [grad.address, sums, grad.size], work: grad.size / 2 });
      for (const part of new Float64Array(runtime.buffer, sums, pieces)) sum += part;
    });
  }
  norm.raw()[0] = Math.sqrt(sum);
  return norm;
};

export const adamW: Op<'adamW'> = (runtime, inputs) => {
  const { size } = checkAdamW(inputs);
  const { param, grad, m, v, step, lr, beta1, beta2, eps, weightDecay, norm, maxNorm } = inputs;
  const scale = norm && maxNorm ? Math.min(1, maxNorm / (own(norm).raw()[0] + 1e-6)) : 1;
  elementwise(runtime, ADAMW, size, [param, grad, m, v].map(addressOf), 2, [
    scale,
    beta1,
    1 - beta1,
    beta2,
    1 - beta2,
    1 - lr * weightDecay,
    lr / (1 - beta1 ** step),
    1 / Math.sqrt(1 - beta2 ** step),
    eps,
  ]);
};
