import type { AdamWInputs, Tensor } from '@mamba-ts/backend';
import { type Cpu, floats, resultType, round } from '../cpu.js';

/** sqrt of the sum of all squares, over all tensors. */
export function gradNorm(cpu: Cpu, { grads }: { grads: readonly Tensor[] }): Tensor {
  let sum = 0;
  for (const grad of grads) for (const value of floats(cpu, grad)) sum += value * value;
  return round(cpu, Float64Array.of(Math.sqrt(sum)), [], grads.length > 0 ? resultType(grads[0]) : 'f32');
}

/**
 * AdamW (arXiv 1711.05101) as torch computes it: the decay is decoupled and comes first; moments are corrected for their
 * zero start. In place.
 */
export function adamW(cpu: Cpu, inputs: AdamWInputs): void {
  const { step, lr, beta1, beta2, eps, weightDecay, norm, maxNorm } = inputs;
  const [param, grad] = [floats(cpu, inputs.param), floats(cpu, inputs.grad)];
  const [m, v] = [floats(cpu, inputs.m), floats(cpu, inputs.v)];
  const clip =
    norm === undefined || maxNorm === undefined ? 1 : Math.min(1, maxNorm / (floats(cpu, norm)[0] + 1e-6));
  const correction1 = 1 - beta1 ** step;
  const correction2 = Math.sqrt(1 - beta2 ** step);
  for (let i = 0; i < param.length; i++) {
    const g = grad[i] * clip;
    const m1 = beta1 * m[i] + (1 - beta1) * g;
    const v1 = beta2 * v[i] + (1 - beta2) * g * g;
    m[i] = m1;
    v[i] = v1;
    param[i] =
      param[i] * (1 - lr * weightDecay) - ((lr / correction1) * m1) / (Math.sqrt(v1) / correction2 + eps);
  }
}
