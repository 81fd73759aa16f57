import { blockParameters } from '../block.js';
import type { MambaConfig } from '../config/config.js';
import { mlpParameters } from '../mlp.js';
import { normParameters } from '../norm.js';
import { kaimingUniform, normal } from './init.js';
import type { ParameterSpec } from './spec.js';

/** Every parameter of a model, in the order of the official state dict and under its names. A tied head is not a parameter. */
export function parameterSpecs(config: MambaConfig): ParameterSpec[] {
  const { paddedVocabSize, dModel, nLayer, tieEmbeddings } = config;
  const size = paddedVocabSize * dModel;
  const shape = [paddedVocabSize, dModel];
  const layer = [
    ...blockParameters(config).map((spec) => prefixed('mixer.', spec)),
    ...normParameters(config, 'norm'),
    ...(config.dIntermediate > 0 ? [...normParameters(config, 'norm2'), ...mlpParameters(config)] : []),
  ];
  const specs: ParameterSpec[] = [
    { name: 'backbone.embedding.weight', shape, role: 'matrix', decay: true, init: normal(size, 0.02) },
  ];
  for (let i = 0; i < nLayer; i++) {
    for (const spec of layer) specs.push(prefixed(`backbone.layers.${i}.`, spec));
  }
  for (const spec of normParameters(config, 'norm_f')) specs.push(prefixed('backbone.', spec));
  if (!tieEmbeddings) {
    const init = kaimingUniform(size, dModel);
    specs.push({ name: 'lm_head.weight', shape, role: 'matrix', decay: true, init });
  }
  return specs;
}

function prefixed(prefix: string, spec: ParameterSpec): ParameterSpec {
  return { ...spec, name: prefix + spec.name };
}
