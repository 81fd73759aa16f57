import { MambaError } from '@mamba-ts/backend';
import type { MambaConfig } from './config.js';
import { readHuggingFace } from './huggingface.js';
import { readOriginal } from './original.js';
import { resolveConfig } from './resolve.js';

/**
 * Reads the parsed `config.json` of a checkpoint, original (`d_model`, `ssm_cfg`) or transformers (`hidden_size`).
 * @throws MambaError `CHECKPOINT_FORMAT` if it is malformed, naming the key; `UNSUPPORTED_MODEL` if it is some other
 * model (Mamba-2, Mamba-3, attention layers, falcon_mamba, ...), naming what is supported
 */
export function parseConfig(json: unknown): MambaConfig {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new MambaError('CHECKPOINT_FORMAT', 'config.json must hold one JSON object');
  }
  const values = json as Record<string, unknown>;
  const { input, keys } = format(values);
  return resolveConfig(input, (field, problem) => {
    const [head, ...rest] = field.split(/(?=[.[])/);
    const key = (keys.get(head!) ?? head) + rest.join('');
    return new MambaError('CHECKPOINT_FORMAT', `config.json: ${key} ${problem}`, { details: { key } });
  });
}

function format(values: Record<string, unknown>) {
  if (Object.hasOwn(values, 'model_type') || Object.hasOwn(values, 'hidden_size')) {
    return readHuggingFace(values);
  }
  if (Object.hasOwn(values, 'd_model')) return readOriginal(values);
  throw new MambaError(
    'CHECKPOINT_FORMAT',
    'config.json: neither d_model (original Mamba) nor hidden_size (transformers) is there; is this a Mamba checkpoint?',
  );
}
