import { Collector, type FoundFields, unsupported } from './original.js';
import { show } from './resolve.js';

/** Keys of transformers' `MambaConfig`. */
const KEYS = {
  hidden_size: 'dModel',
  num_hidden_layers: 'nLayer',
  vocab_size: 'vocabSize',
  pad_vocab_size_multiple: 'padVocabSizeMultiple',
  intermediate_size: 'dInner',
  state_size: 'dState',
  conv_kernel: 'dConv',
  expand: 'expand',
  time_step_rank: 'dtRank',
  time_step_scale: 'dtScale',
  time_step_min: 'dtMin',
  time_step_max: 'dtMax',
  time_step_floor: 'dtInitFloor',
  time_step_init_scheme: 'dtInit',
  layer_norm_epsilon: 'normEps',
  use_bias: 'bias',
  use_conv_bias: 'convBias',
  residual_in_fp32: 'residualInFp32',
  tie_word_embeddings: 'tieEmbeddings',
  bos_token_id: 'bosTokenId',
  pad_token_id: 'padTokenId',
  eos_token_id: 'eosTokenIds',
} as const;

/** Reads `{ model_type: "mamba", hidden_size, ... }`, whose `vocab_size` already counts the padding rows. */
export function readHuggingFace(json: Record<string, unknown>): FoundFields {
  const type = json['model_type'] ?? 'mamba';
  if (type !== 'mamba') throw unsupported(`model_type ${show(type)}`);
  const activation = json['hidden_act'] ?? 'silu';
  if (activation !== 'silu' && activation !== 'swish') throw unsupported(`hidden_act ${show(activation)}`);
  const found = new Collector();
  found.take(json, KEYS, '');
  found.set('padVocabSizeMultiple', json['pad_vocab_size_multiple'] ?? 1);
  const eos = json['eos_token_id'] ?? [];
  found.set('eosTokenIds', Array.isArray(eos) ? eos : [eos]);
  return found;
}
