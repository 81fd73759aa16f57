import { MambaError, narrow, type Tensor } from '@mamba-ts/backend';
import {
  type CheckpointData,
  encodeSafetensors,
  type LazyTensorInput,
  writeCheckpoint,
  writeFileAtomic,
} from '@mamba-ts/checkpoint';
import { writeConfig } from './config/original.js';
import type { MambaLM } from './lm.js';
import { parameterSpecs } from './parameters/list.js';
import { activationDType } from './weight-dtype.js';

export interface SaveOptions {
  /** Type of the matrices in the file; the small vectors are f32 beside f16 and bf16. Default f32 (f64 for an f64 model). */
  readonly dtype?: 'f64' | 'f32' | 'f16' | 'bf16' | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** transformers' loader refuses files without it. */
const METADATA = { format: 'pt' };

export async function saveModel(
  lm: MambaLM,
  parameters: ReadonlyMap<string, Tensor>,
  folder: string,
  options: SaveOptions,
): Promise<void> {
  const { signal } = options;
  await writeCheckpoint(folder, tensorInputs(lm, parameters, options), { metadata: METADATA, signal });
  for (const [name, text] of textFiles(lm)) await writeFileAtomic(`${folder}/${name}`, text, signal);
}

export async function encodeModel(
  lm: MambaLM,
  parameters: ReadonlyMap<string, Tensor>,
  options: SaveOptions,
): Promise<Record<string, Uint8Array>> {
  const tensors = [];
  for (const [name, { data, ...info }] of tensorInputs(lm, parameters, options)) {
    tensors.push([name, { ...info, data: await data() }] as const);
  }
  const files: Record<string, Uint8Array> = { 'model.safetensors': encodeSafetensors(tensors, METADATA) };
  for (const [name, text] of textFiles(lm)) files[name] = new TextEncoder().encode(text);
  return files;
}

function textFiles(lm: MambaLM): [string, string][] {
  const config = `${JSON.stringify(writeConfig(lm.config), null, 2)}\n`;
  return [['config.json', config], ...(lm.tokenizer?.files() ?? [])];
}

function tensorInputs(
  lm: MambaLM,
  parameters: ReadonlyMap<string, Tensor>,
  { dtype = activationDType(lm.dtype) }: SaveOptions,
): [string, LazyTensorInput][] {
  if (!['f64', 'f32', 'f16', 'bf16'].includes(dtype)) {
    throw new MambaError(
      'INVALID_ARGUMENT',
      `save: dtype must be f64, f32, f16 or bf16, not ${String(dtype)}`,
    );
  }
  return parameterSpecs(lm.config).map(({ name, shape, fileShape, role }) => {
    const stored = role === 'vector' && dtype !== 'f64' ? 'f32' : dtype;
    const data = async (): Promise<CheckpointData> => {
      const values = await parameters.get(name)!.data();
      if (stored === 'f16' || stored === 'bf16') return narrow(values, stored);
      return stored === 'f64' ? Float64Array.from(values) : Float32Array.from(values);
    };
    return [name, { dtype: stored, shape: fileShape ?? shape, data }];
  });
}
