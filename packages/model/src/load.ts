import { type Backend, type Tensor, throwIfAborted, widen } from '@mamba-ts/backend';
import {
  type CheckpointTensor,
  type OpenSourceOptions,
  openCheckpoint,
  openSource,
  type Progress,
  readJson,
  type Source,
  type SourceLike,
} from '@mamba-ts/checkpoint';
import { matchTensors } from './checkpoint-tensors.js';
import type { MambaConfig } from './config/config.js';
import { parseConfig } from './config/parse.js';
import { sample } from './fingerprint.js';
import type { ModelParts } from './lm.js';
import { parameterSpecs } from './parameters/list.js';
import { ByteTokenizer } from './tokenizers/bytes.js';
import { readTokenizer } from './tokenizers/load.js';
import { TOKENIZER_FILE, type Tokenizer } from './tokenizers/tokenizer.js';
import { checkWeightDType, parameterDType, type WeightDType } from './weight-dtype.js';

export interface LoadOptions extends OpenSourceOptions {
  readonly backend: Backend;
  /** Type to keep the weights in, whatever the checkpoint's; default f32. f64 (cpu) computes everything in f64. */
  readonly dtype?: WeightDType | undefined;
  /** Instead of the checkpoint's own. */
  readonly tokenizer?: Tokenizer | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** Reads a checkpoint onto a backend, tensor by tensor. Whatever fails, nothing stays there. */
export async function loadModel(from: SourceLike, options: LoadOptions): Promise<ModelParts> {
  const { backend, dtype: asked = 'f32', tokenizer, signal, onProgress, ...sourceOptions } = options;
  const dtype = checkWeightDType(backend, asked);
  throwIfAborted(signal, 'fromPretrained');
  const source = await openSource(from, sourceOptions);
  const declared = parseConfig(await readJson(source, 'config.json', { signal }));
  const checkpoint = await openCheckpoint(source, { signal, onProgress });
  const { config, specs } = matchTensors(declared, checkpoint.tensors);
  const own = tokenizer ?? (await ownTokenizer(source, config, signal));

  const loaded = new Map<string, Tensor>();
  const samples = new Map<string, Float32Array>();
  try {
    for (const [name, spec] of specs) {
      const read = await checkpoint.read(name, { signal });
      throwIfAborted(signal, 'fromPretrained');
      const kept = parameterDType(spec, dtype);
      samples.set(spec.name, sampleOf(read));
      loaded.set(spec.name, backend.tensor(values(read, kept), spec.shape, kept));
    }
  } catch (error) {
    for (const tensor of loaded.values()) tensor.dispose();
    throw error;
  }
  const names = parameterSpecs(config).map(({ name }) => name);
  return {
    config,
    backend,
    dtype,
    tokenizer: own,
    parameters: new Map(names.map((name) => [name, loaded.get(name)!])),
    samples: new Map(names.map((name) => [name, samples.get(name)!])),
  };
}

async function ownTokenizer(
  source: Source,
  config: MambaConfig,
  signal: AbortSignal | undefined,
): Promise<Tokenizer | undefined> {
  if (config.tokenizer === 'bytes') return new ByteTokenizer({ vocabSize: config.vocabSize });
  return (await source.has(TOKENIZER_FILE, signal)) ? readTokenizer(source, signal) : undefined;
}

/** Numbers for `Backend.tensor`: bits pass through where the type stays. */
function values({ dtype, data }: CheckpointTensor, kept: WeightDType) {
  if (dtype !== 'f16' && dtype !== 'bf16') return data as Float32Array | Float64Array;
  return dtype === kept ? (data as Uint16Array) : widen(data as Uint16Array, dtype);
}

function sampleOf({ dtype, data }: CheckpointTensor): Float32Array {
  const picked = sample(data as Float32Array);
  return dtype === 'f16' || dtype === 'bf16' ? widen(Uint16Array.from(picked), dtype) : picked;
}
