import type { Tensor } from '@mamba-ts/backend';
import { type MambaConfig, mlpWidth } from './config/config.js';
import type { Run, Weights } from './mixers/mixer.js';
import { kaimingUniform } from './parameters/init.js';
import type { ParameterSpec } from './parameters/spec.js';

/** The official GatedMLP: fc2(y silu(gate)) with y, gate = fc1(x). */
export function mlpParameters(config: MambaConfig): ParameterSpec[] {
  const { dModel, nLayer } = config;
  const width = mlpWidth(config);
  return [
    {
      name: 'mlp.fc1.weight',
      shape: [2 * width, dModel],
      role: 'matrix',
      decay: true,
      init: kaimingUniform(2 * width * dModel, dModel),
    },
    {
      name: 'mlp.fc2.weight',
      shape: [dModel, width],
      role: 'matrix',
      decay: true,
      init: kaimingUniform(dModel * width, width, 1 / Math.sqrt(nLayer)),
    },
  ];
}

export function mlp({ ops, config }: Run, weights: Weights, x: Tensor): Tensor {
  const width = mlpWidth(config);
  const [y, gate] = ops.split({
    x: ops.linear({ x, weight: weights['mlp.fc1.weight']! }),
    sizes: [width, width],
    axis: x.shape.length - 1,
  });
  const gated = ops.mul({ a: y!, b: ops.silu({ x: gate! }) });
  return ops.linear({ x: gated, weight: weights['mlp.fc2.weight']! });
}
