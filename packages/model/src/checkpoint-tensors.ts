import { MambaError } from '@mamba-ts/backend';
import type { TensorInfo } from '@mamba-ts/checkpoint';
import type { MambaConfig } from './config/config.js';
import { parameterSpecs } from './parameters/list.js';
import type { ParameterSpec } from './parameters/spec.js';

const EMBEDDING = 'backbone.embedding.weight';

/** Which tensor of a checkpoint is which parameter. */
export interface MatchedTensors {
  /** As in config.json, but with as many rows of vocabulary as the checkpoint has. */
  readonly config: MambaConfig;
  /** By the tensor's name in the checkpoint, in the checkpoint's order. */
  readonly specs: ReadonlyMap<string, ParameterSpec>;
}

/**
 * Finds every parameter in a checkpoint of either naming scheme, and refuses one with too few, too many or wrong tensors.
 * @throws MambaError `CHECKPOINT_FORMAT` naming the tensor
 */
export function matchTensors(
  declared: MambaConfig,
  tensors: ReadonlyMap<string, TensorInfo>,
): MatchedTensors {
  const config = withRows(declared, tensors);
  const wanted = new Map(parameterSpecs(config).map((spec) => [spec.name, spec]));
  const found = new Map<string, ParameterSpec>();
  const unexpected: string[] = [];
  for (const [name, info] of tensors) {
    const official = officialName(name);
    const spec = wanted.get(official);
    if (spec) {
      wanted.delete(official);
      checkShape(name, info.shape, spec);
      checkType(name, info.dtype);
      found.set(name, spec);
      // A tied head repeats the embedding.
    } else if (!(official === 'lm_head.weight' && config.tieEmbeddings)) unexpected.push(name);
  }
  if (wanted.size > 0) {
    throw mismatch(`lacks ${list([...wanted.keys()])}, which config.json calls for`, [...wanted.keys()][0]!);
  }
  if (unexpected.length > 0) {
    throw mismatch(`has ${list(unexpected)}, which config.json does not call for`, unexpected[0]!);
  }
  return { config, specs: found };
}

/** transformers' name for the embedding is `embeddings`. */
function officialName(name: string): string {
  return name === 'backbone.embeddings.weight' ? EMBEDDING : name;
}

/** The embedding has `paddedVocabSize` rows, or, where someone took the padding off, `vocabSize`. */
function withRows(config: MambaConfig, tensors: ReadonlyMap<string, TensorInfo>): MambaConfig {
  const info = tensors.get(EMBEDDING) ?? tensors.get('backbone.embeddings.weight');
  if (info?.shape[0] !== config.vocabSize) return config;
  return { ...config, padVocabSizeMultiple: 1, paddedVocabSize: config.vocabSize };
}

function checkShape(name: string, shape: readonly number[], spec: ParameterSpec): void {
  const accepted = [spec.fileShape ?? spec.shape, spec.shape];
  if (!accepted.some((want) => want.join() === shape.join())) {
    throw mismatch(
      `has ${name} of shape [${shape.join(', ')}], but config.json calls for [${accepted[0]!.join(', ')}]`,
      name,
    );
  }
}

function checkType(name: string, dtype: string): void {
  if (!['f64', 'f32', 'f16', 'bf16'].includes(dtype)) {
    throw mismatch(`has ${name} of type ${dtype}; weights are f64, f32, f16 or bf16`, name);
  }
}

function list(names: readonly string[]): string {
  const more = names.length > 3 ? ` and ${names.length - 3} more` : '';
  return `${names.slice(0, 3).join(', ')}${more}`;
}

function mismatch(problem: string, tensor: string): MambaError {
  return new MambaError('CHECKPOINT_FORMAT', `the checkpoint ${problem}`, { details: { tensor } });
}
