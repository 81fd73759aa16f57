import { sizeOf } from '@mamba-ts/backend';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../config/parse.js';
import { resolveConfig } from '../config/resolve.js';
import { parameterSpecs } from './list.js';

describe('parameterSpecs', () => {
  it.each([
    ['mamba-130m', 768, 24, 129_135_360],
    ['mamba-370m', 1024, 48, 371_516_416],
    ['mamba-790m', 1536, 48, 793_204_224],
    ['mamba-1.4b', 2048, 48, 1_372_178_432],
    ['mamba-2.8b', 2560, 64, 2_768_345_600],
  ])('counts the published parameters of %s', (_, d_model, n_layer, count) => {
    const specs = parameterSpecs(parseConfig({ d_model, n_layer, vocab_size: 50277, ssm_cfg: {} }));
    expect(specs.reduce((sum, { shape }) => sum + sizeOf(shape), 0)).toBe(count);
  });

  it('names parameters as the official state dict does, in its order', () => {
    const names = (config: Parameters<typeof resolveConfig>[0]) =>
      parameterSpecs(resolveConfig(config)).map(({ name }) => name);
    const mixer = ['in_proj.weight', 'conv1d.weight', 'conv1d.bias', 'x_proj.weight', 'dt_proj.weight'];
    mixer.push('dt_proj.bias', 'A_log', 'D', 'out_proj.weight');
    const plain = { dModel: 8, nLayer: 1, vocabSize: 8 };
    expect(names(plain).sort()).toEqual(
      [
        'backbone.embedding.weight',
        ...mixer.map((name) => `backbone.layers.0.mixer.${name}`),
        'backbone.layers.0.norm.weight',
        'backbone.norm_f.weight',
      ].sort(),
    );
    const all = names({ ...plain, bias: true, rmsNorm: false, dIntermediate: 8, tieEmbeddings: false });
    const more = all.filter((name) => !names(plain).includes(name));
    expect(more.sort()).toEqual(
      [
        ...['mixer.in_proj.bias', 'mixer.out_proj.bias', 'norm.bias', 'norm2.weight', 'norm2.bias'].map(
          (name) => `backbone.layers.0.${name}`,
        ),
        ...['backbone.layers.0.mlp.fc1.weight', 'backbone.layers.0.mlp.fc2.weight'],
        ...['backbone.norm_f.bias', 'lm_head.weight'],
      ].sort(),
    );
  });

  it('gives complex A the parameters that real A has', () => {
    const count = (complexA: boolean) =>
      parameterSpecs(resolveConfig({ dModel: 8, nLayer: 1, vocabSize: 8, complexA })).reduce(
        (sum, { shape }) => sum + sizeOf(shape),
        0,
      );
    expect(count(true)).toBe(count(false));
  });
});
