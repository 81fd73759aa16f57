import { MambaError } from '@mamba-ts/backend';
import type { MambaConfig, MambaConfigInput } from './config.js';

/** Keys of `ssm_cfg` and the fields that they set: the arguments of the official `Mamba` constructor. */
const SSM_KEYS = {
  d_state: 'dState',
  d_conv: 'dConv',
  expand: 'expand',
  dt_rank: 'dtRank',
  dt_min: 'dtMin',
  dt_max: 'dtMax',
  dt_init: 'dtInit',
  dt_scale: 'dtScale',
  dt_init_floor: 'dtInitFloor',
  conv_bias: 'convBias',
  bias: 'bias',
} as const;

/** Constructor arguments that do not change what is computed. */
const IGNORED_SSM_KEYS = new Set(['layer', 'use_fast_path', 'layer_idx', 'device', 'dtype']);

const MODEL_KEYS = {
  d_model: 'dModel',
  n_layer: 'nLayer',
  vocab_size: 'vocabSize',
  pad_vocab_size_multiple: 'padVocabSizeMultiple',
  d_intermediate: 'dIntermediate',
  rms_norm: 'rmsNorm',
  residual_in_fp32: 'residualInFp32',
  tie_embeddings: 'tieEmbeddings',
} as const;

/** What the original format cannot say, under the key `mamba_ts`. */
export const EXTENSION_KEY = 'mamba_ts';
const EXTENSION_KEYS = {
  mixer: 'mixer',
  selective: 'selective',
  complex_a: 'complexA',
  gate: 'gate',
  d_inner: 'dInner',
  norm_eps: 'normEps',
  tokenizer: 'tokenizer',
  bos_token_id: 'bosTokenId',
  eos_token_ids: 'eosTokenIds',
  pad_token_id: 'padTokenId',
} as const;

type Json = Record<string, unknown>;
/** Fields as found, and how the file calls each one. */
export interface FoundFields {
  readonly input: MambaConfigInput;
  readonly keys: ReadonlyMap<string, string>;
}

/** Reads `{ d_model, n_layer, vocab_size, ssm_cfg, ... }` as the official `MambaConfig` is written. */
export function readOriginal(json: Json): FoundFields {
  const ssm = section(json, 'ssm_cfg');
  const layer = ssm['layer'] ?? 'Mamba1';
  if (layer !== 'Mamba1') {
    throw unsupported(`ssm_cfg.layer ${JSON.stringify(layer)}`);
  }
  const attention = json['attn_layer_idx'] ?? [];
  if (!Array.isArray(attention)) {
    throw new MambaError('CHECKPOINT_FORMAT', 'config.json: attn_layer_idx must be a list');
  }
  if (attention.length > 0)
    throw unsupported(`attention layers (attn_layer_idx, ${attention.length} of them)`);
  for (const key of Object.keys(ssm)) {
    if (!Object.hasOwn(SSM_KEYS, key) && !IGNORED_SSM_KEYS.has(key)) {
      throw unsupported(`the option ssm_cfg.${key.slice(0, 40)}`);
    }
  }
  const found = new Collector();
  found.take(json, MODEL_KEYS, '');
  found.take(ssm, SSM_KEYS, 'ssm_cfg.');
  found.take(section(json, EXTENSION_KEY), EXTENSION_KEYS, `${EXTENSION_KEY}.`);
  return found;
}

/** Writes a config in the original format; what it lacks goes under `mamba_ts`, which is absent where nothing is lacking. */
export function writeConfig(config: MambaConfig): Record<string, unknown> {
  const values = config as unknown as Json;
  const pick = (keys: Record<string, string>) =>
    Object.fromEntries(Object.entries(keys).map(([key, field]) => [key, values[field]]));
  const extension: Json = {};
  const lti = config.mixer === 's4d';
  const plain: Partial<Record<keyof MambaConfig, unknown>> = {
    mixer: 's6',
    complexA: lti,
    gate: true,
    dInner: Math.floor(config.expand * config.dModel),
    normEps: 1e-5,
  };
  for (const [key, field] of Object.entries(EXTENSION_KEYS)) {
    if (values[field] !== plain[field]) extension[key] = values[field];
  }
  if (Object.values(config.selective).every((selective) => selective === !lti)) delete extension['selective'];
  if (config.eosTokenIds.length === 0) delete extension['eos_token_ids'];
  return {
    ...pick(MODEL_KEYS),
    ssm_cfg: pick(SSM_KEYS),
    attn_layer_idx: [],
    attn_cfg: {},
    fused_add_norm: true,
    ...(Object.keys(extension).length > 0 ? { [EXTENSION_KEY]: extension } : {}),
  };
}

/** Gathers fields under our names and remembers the file's. */
export class Collector implements FoundFields {
  readonly #input: Json = {};
  readonly keys = new Map<string, string>();

  get input(): MambaConfigInput {
    return this.#input as unknown as MambaConfigInput;
  }

  take(from: Json, names: Record<string, string>, prefix: string): void {
    for (const [key, field] of Object.entries(names)) {
      this.keys.set(field, prefix + key);
      if (Object.hasOwn(from, key)) this.set(field, from[key]);
    }
  }

  set(field: string, value: unknown): void {
    this.#input[field] = value;
  }
}

export function unsupported(what: string): MambaError {
  return new MambaError(
    'UNSUPPORTED_MODEL',
    `config.json: this model has ${what}; supported are Mamba-1 language models, original (ssm_cfg.layer "Mamba1") ` +
      'or transformers (model_type "mamba"), and those that mamba-ts writes',
  );
}

function section(json: Json, key: string): Json {
  const value = (Object.hasOwn(json, key) ? json[key] : undefined) ?? {};
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new MambaError('CHECKPOINT_FORMAT', `config.json: ${key} must be an object`);
  }
  return value as Json;
}
