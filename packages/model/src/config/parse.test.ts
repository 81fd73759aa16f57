import { MambaError } from '@mamba-ts/backend';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mlpWidth, stateColumns } from './config.js';
import { writeConfig } from './original.js';
import { parseConfig } from './parse.js';
import { resolveConfig } from './resolve.js';

/** As published with state-spaces/mamba-130m. */
const original = {
  d_model: 768,
  n_layer: 24,
  vocab_size: 50277,
  ssm_cfg: {},
  rms_norm: true,
  residual_in_fp32: true,
  fused_add_norm: true,
  pad_vocab_size_multiple: 8,
};

/** As published with state-spaces/mamba-130m-hf. */
const huggingFace = {
  architectures: ['MambaForCausalLM'],
  model_type: 'mamba',
  hidden_size: 768,
  intermediate_size: 1536,
  state_size: 16,
  conv_kernel: 4,
  expand: 2,
  num_hidden_layers: 24,
  time_step_rank: 48,
  time_step_scale: 1,
  time_step_min: 0.001,
  time_step_max: 0.1,
  time_step_floor: 1e-4,
  time_step_init_scheme: 'random',
  layer_norm_epsilon: 1e-5,
  use_bias: false,
  use_conv_bias: true,
  hidden_act: 'silu',
  residual_in_fp32: true,
  rescale_prenorm_residual: false,
  initializer_range: 0.1,
  vocab_size: 50280,
  bos_token_id: 0,
  eos_token_id: 0,
  pad_token_id: 0,
  torch_dtype: 'float32',
  d_model: 768,
  n_layer: 24,
  ssm_cfg: {},
  pad_vocab_size_multiple: 8,
};

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(MambaError);
    return (error as MambaError).code;
  }
  return 'none';
}

describe('parseConfig', () => {
  it('reads an original config with the official defaults', () => {
    const config = parseConfig(original);
    expect(config).toMatchObject({
      dModel: 768,
      nLayer: 24,
      vocabSize: 50277,
      paddedVocabSize: 50280,
      dInner: 1536,
      dState: 16,
      dConv: 4,
      expand: 2,
      dtRank: 48,
      dtMin: 0.001,
      dtMax: 0.1,
      dtInitFloor: 1e-4,
      dtScale: 1,
      dtInit: 'random',
      bias: false,
      convBias: true,
      rmsNorm: true,
      normEps: 1e-5,
      residualInFp32: true,
      tieEmbeddings: true,
      dIntermediate: 0,
      mixer: 's6',
      selective: { delta: true, B: true, C: true },
      complexA: false,
      gate: true,
      tokenizer: undefined,
      eosTokenIds: [],
    });
  });

  it('reads the same model from a transformers config', () => {
    const ours = parseConfig(huggingFace);
    const { vocabSize, bosTokenId, padTokenId, eosTokenIds, ...rest } = ours;
    expect(vocabSize).toBe(50280);
    expect([bosTokenId, padTokenId, eosTokenIds]).toEqual([0, 0, [0]]);
    expect(parseConfig(original)).toMatchObject(rest);
  });

  it('reads ssm_cfg, MLP, LayerNorm, a separate head', () => {
    const config = parseConfig({
      ...original,
      d_model: 100,
      d_intermediate: 1264,
      rms_norm: false,
      tie_embeddings: false,
      pad_vocab_size_multiple: 16,
      attn_layer_idx: [],
      attn_cfg: {},
      ssm_cfg: {
        layer: 'Mamba1',
        d_state: 8,
        d_conv: 3,
        expand: 1.5,
        dt_rank: 5,
        bias: true,
        conv_bias: false,
        dt_init: 'constant',
      },
    });
    expect(config).toMatchObject({
      paddedVocabSize: 50288,
      dInner: 150,
      dState: 8,
      dConv: 3,
      dtRank: 5,
      bias: true,
      convBias: false,
      dtInit: 'constant',
      rmsNorm: false,
      tieEmbeddings: false,
    });
    expect(mlpWidth(config)).toBe(1280);
  });

  it('knows "auto" for the rank, in both formats', () => {
    expect(parseConfig({ ...original, d_model: 100, ssm_cfg: { dt_rank: 'auto' } }).dtRank).toBe(7);
    expect(parseConfig({ ...huggingFace, time_step_rank: 'auto' }).dtRank).toBe(48);
  });

  it('takes a list of EOS ids, or null', () => {
    expect(parseConfig({ ...huggingFace, eos_token_id: [0, 7] }).eosTokenIds).toEqual([0, 7]);
    expect(parseConfig({ ...huggingFace, eos_token_id: null, pad_token_id: null })).toMatchObject({
      eosTokenIds: [],
      padTokenId: undefined,
    });
  });

  it.each([
    ['Mamba-2', { ...original, ssm_cfg: { layer: 'Mamba2' } }],
    ['Mamba-3', { ...original, ssm_cfg: { layer: 'Mamba3' } }],
    ['an unknown mixer option', { ...original, ssm_cfg: { headdim: 64 } }],
    ['attention layers', { ...original, attn_layer_idx: [9, 18] }],
    ['mamba2 of transformers', { ...huggingFace, model_type: 'mamba2' }],
    ['falcon_mamba', { ...huggingFace, model_type: 'falcon_mamba' }],
    ['a transformer', { model_type: 'llama', hidden_size: 64 }],
    ['another activation', { ...huggingFace, hidden_act: 'gelu' }],
  ])('refuses %s as unsupported, and says what is', (_, json) => {
    expect(codeOf(() => parseConfig(json))).toBe('UNSUPPORTED_MODEL');
    expect(() => parseConfig(json)).toThrow(/Mamba-1/);
  });

  it.each([
    ['no object', [], /one JSON object/],
    ['null', null, /one JSON object/],
    ['nothing known', { foo: 1 }, /neither d_model/],
    ['no layers', { d_model: 8, vocab_size: 8 }, /n_layer is missing/],
    ['no vocabulary', { d_model: 8, n_layer: 1 }, /vocab_size is missing/],
    ['a negative width', { ...original, d_model: -8 }, /d_model must be an integer/],
    ['a width that is no integer', { ...original, d_model: 8.5 }, /d_model/],
    ['a width in words', { ...original, d_model: 'wide' }, /d_model.*"wide"/],
    ['NaN', { ...original, n_layer: Number.NaN }, /n_layer.*NaN/],
    ['a huge width', { ...original, d_model: 2 ** 60 }, /d_model/],
    ['a huge matrix', { ...original, d_model: 2 ** 20, ssm_cfg: { expand: 1 } }, /d_model makes a matrix/],
    ['huge depth', { ...original, n_layer: 1e9 }, /n_layer/],
    ['ssm_cfg that is a list', { ...original, ssm_cfg: [] }, /ssm_cfg must be an object/],
    ['attn_layer_idx that is a number', { ...original, attn_layer_idx: 3 }, /attn_layer_idx must be a list/],
    ['a boolean that is a number', { ...original, rms_norm: 1 }, /rms_norm must be true or false/],
    [
      'an unknown dt_init',
      { ...original, ssm_cfg: { dt_init: 'x' } },
      /ssm_cfg\.dt_init must be random or constant/,
    ],
    ['dt_max below dt_min', { ...original, ssm_cfg: { dt_min: 0.1, dt_max: 0.01 } }, /ssm_cfg\.dt_max/],
    [
      'odd complex state',
      { ...original, ssm_cfg: { d_state: 3 }, mamba_ts: { complex_a: true } },
      /d_state must be even/,
    ],
    ['a bad EOS id', { ...huggingFace, eos_token_id: [0, 'x'] }, /eos_token_id\[1\]/],
    ['EOS ids without end', { ...huggingFace, eos_token_id: Array(100).fill(0) }, /at most 64/],
    ['a bad extension', { ...original, mamba_ts: 'x' }, /mamba_ts must be an object/],
    [
      'a bad selective flag',
      { ...original, mamba_ts: { selective: { B: 'yes' } } },
      /mamba_ts\.selective\.B/,
    ],
    ['selective as a list', { ...original, mamba_ts: { selective: [] } }, /mamba_ts\.selective must be/],
    [
      'a selective s4d',
      { ...original, mamba_ts: { mixer: 's4d', selective: { B: true } } },
      /time-invariant/,
    ],
    ['a real s4d', { ...original, mamba_ts: { mixer: 's4d', complex_a: false } }, /complex_a must be true/],
    [
      'bytes without room',
      { ...original, vocab_size: 100, mamba_ts: { tokenizer: 'bytes' } },
      /vocab_size must be at least 256/,
    ],
  ])('refuses %s as malformed, naming the key', (_, json, message) => {
    expect(codeOf(() => parseConfig(json))).toBe('CHECKPOINT_FORMAT');
    expect(() => parseConfig(json)).toThrow(message);
  });

  it('survives 400 mutilated configs with a typed error or a checked config', () => {
    const junk = fc.oneof(
      fc.constantFrom<unknown>(
        null,
        Number.NaN,
        Number.POSITIVE_INFINITY,
        -1,
        0,
        1e308,
        2 ** 53,
        '',
        '7',
        true,
        {},
      ),
      fc.integer(),
      fc.double(),
      fc.string(),
      fc.array(fc.anything({ maxDepth: 2 }), { maxLength: 3 }),
      fc.object({ maxDepth: 3 }),
      fc.constant({ layer: 'Mamba1', d_state: 1e12, dt_rank: -1 }),
    );
    const base = fc.constantFrom<Record<string, unknown>>(
      original,
      huggingFace,
      writeConfig(
        resolveConfig({ dModel: 8, nLayer: 1, mixer: 's4d', tokenizer: 'bytes', eosTokenIds: [3] }),
      ),
    );
    const outcomes = { typed: 0, loaded: 0 };
    fc.assert(
      fc.property(
        base.chain((json) =>
          fc.tuple(
            fc.constant(json),
            fc.dictionary(fc.oneof(fc.constantFrom(...Object.keys(json)), fc.string()), junk, { maxKeys: 4 }),
            fc.subarray(Object.keys(json), { minLength: Math.max(0, Object.keys(json).length - 2) }),
          ),
        ),
        ([json, changes, kept]) => {
          const hostile = { ...Object.fromEntries(kept.map((key) => [key, json[key]])), ...changes };
          const code = codeOf(() => {
            const config = parseConfig(hostile);
            for (const size of [
              config.dModel,
              config.nLayer,
              config.paddedVocabSize,
              config.dInner,
              config.dtRank,
            ]) {
              expect(Number.isInteger(size) && size > 0).toBe(true);
            }
            expect(stateColumns(config) % 1).toBe(0);
          });
          expect(['none', 'CHECKPOINT_FORMAT', 'UNSUPPORTED_MODEL']).toContain(code);
          outcomes[code === 'none' ? 'loaded' : 'typed']++;
        },
      ),
      { numRuns: 400 },
    );
    expect(outcomes.typed).toBeGreaterThan(100);
  });
});

describe('writeConfig', () => {
  it('writes what the official code reads, and nothing else, for a plain model', () => {
    const written = writeConfig(parseConfig(original));
    expect(Object.keys(written).sort()).toEqual(
      [
        ...['attn_cfg', 'attn_layer_idx', 'd_intermediate', 'd_model', 'fused_add_norm', 'n_layer'],
        ...[
          'pad_vocab_size_multiple',
          'residual_in_fp32',
          'rms_norm',
          'ssm_cfg',
          'tie_embeddings',
          'vocab_size',
        ],
      ].sort(),
    );
    expect(Object.keys(written['ssm_cfg'] as object).sort()).toEqual(
      [
        ...['bias', 'conv_bias', 'd_conv', 'd_state', 'dt_init', 'dt_init_floor', 'dt_max', 'dt_min'],
        ...['dt_rank', 'dt_scale', 'expand'],
      ].sort(),
    );
  });

  it('gives back every config through JSON', () => {
    const configs = [
      parseConfig(original),
      parseConfig(huggingFace),
      parseConfig({ ...huggingFace, intermediate_size: 1000, layer_norm_epsilon: 1e-6 }),
      resolveConfig({ dModel: 8, nLayer: 1, mixer: 's4d', tokenizer: 'bytes', gate: false }),
      resolveConfig({
        ...{ dModel: 8, nLayer: 1, vocabSize: 10, eosTokenIds: [1, 2], bosTokenId: 3, padTokenId: 4 },
        ...{ selective: { B: false }, complexA: true, dState: 4, dIntermediate: 20, rmsNorm: false },
      }),
    ];
    for (const config of configs) {
      expect(parseConfig(JSON.parse(JSON.stringify(writeConfig(config))))).toEqual(config);
    }
  });
});
