import type { MambaConfigInput } from '../src/config/config.js';

const small = { dModel: 12, nLayer: 2, vocabSize: 13, dState: 4 };

/** One small config for each way that a block can be built. */
export const variants: readonly (readonly [string, MambaConfigInput])[] = [
  ['mamba', small],
  [
    'biases, LayerNorm, MLP, own head',
    { ...small, bias: true, rmsNorm: false, dIntermediate: 20, tieEmbeddings: false },
  ],
  ['no biases, no gate, wide convolution', { ...small, convBias: false, gate: false, dConv: 6 }],
  ['complex A', { ...small, complexA: true }],
  ['constant Δ', { ...small, selective: { delta: false } }],
  ['constant B and C', { ...small, selective: { B: false, C: false } }],
  ['nothing selective', { ...small, selective: { delta: false, B: false, C: false } }],
  [
    'nothing selective, complex A',
    { ...small, selective: { delta: false, B: false, C: false }, complexA: true },
  ],
  ['s4d', { ...small, mixer: 's4d' }],
];
