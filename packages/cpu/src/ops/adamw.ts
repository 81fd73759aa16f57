import { checkAdamW } from '@mamba-ts/backend';
import { floats } from '../cpu-tensor.js';
import type { Kernel } from '../kernel.js';

/** AdamW (arXiv 1711.05101) as torch computes it: decay first, then the step with both moments corrected for their bias. */
export const adamW: Kernel<'adamW'> = (_make, inputs) => {
  const { size } = checkAdamW(inputs);
  const { step, lr, beta1, beta2, eps, weightDecay, norm, maxNorm } = inputs;
  const param = floats(inputs.param);
  const grad = floats(inputs.grad);
  const m = floats(inputs.m);
  const v = floats(inputs.v);
  const clip = norm && maxNorm !== undefined ? Math.min(1, maxNorm / (floats(norm)[0] + 1e-6)) : 1;
  const correction1 = 1 - beta1 ** step;
  const correction2 = 1 - beta2 ** step;
  for (let i = 0; i < size; i++) {
    const g = clip * grad[i];
    m[i] = beta1 * m[i] + (1 - beta1) * g;
    v[i] = beta2 * v[i] + (1 - beta2) * g * g;
    const update = m[i] / correction1 / (Math.sqrt(v[i] / correction2) + eps);
    param[i] = param[i] * (1 - lr * weightDecay) - lr * update;
  }
};
