import type { NormOutputs, Tensor } from '@mamba-ts/backend';
import type { MambaConfig } from './config/config.js';
import type { Run, Weights } from './mixers/mixer.js';
import { constant } from './parameters/init.js';
import type { ParameterSpec } from './parameters/spec.js';

/** `<name>.weight`, and `<name>.bias` of a LayerNorm. */
export function normParameters({ dModel, rmsNorm }: MambaConfig, name: string): ParameterSpec[] {
  const vector = (part: string, value: number): ParameterSpec => ({
    name: `${name}.${part}`,
    shape: [dModel],
    role: 'vector',
    decay: true,
    init: constant(dModel, value),
  });
  return rmsNorm ? [vector('weight', 1)] : [vector('weight', 1), vector('bias', 0)];
}

/** Adds x to the residual stream and normalises the sum. */
export function norm(
  { ops, config }: Run,
  weights: Weights,
  name: string,
  x: Tensor,
  residual: Tensor | undefined,
): NormOutputs {
  const inputs = { x, residual, weight: weights[`${name}.weight`]!, eps: config.normEps };
  return config.rmsNorm ? ops.rmsNorm(inputs) : ops.layerNorm({ ...inputs, bias: weights[`${name}.bias`]! });
}
