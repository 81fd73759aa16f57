import type { Backend } from '@mamba-ts/backend';
import { MambaLM } from '@mamba-ts/model';
import { BACKENDS, type BackendName, createBackend } from '../create-backend.js';
import { embeddedModel } from '../embedded.js';
import type { Values } from './options.js';
import { Progress } from './progress.js';
import type { Io } from './verb.js';

/* What the verbs that run a model share. */

export const JSON_OPTION = { json: { kind: 'flag', help: 'print JSON' } } as const;

export const BACKEND_OPTIONS = {
  backend: {
    kind: 'text',
    help: 'what computes',
    choices: ['auto', ...BACKENDS],
    fallback: 'auto',
    value: 'NAME',
  },
  threads: { kind: 'integer', help: 'threads of the wasm backend; all cores unless given', min: 1, max: 256 },
} as const;

export const MODEL_OPTIONS = {
  model: {
    kind: 'text',
    value: 'DIR',
    help: 'folder with config.json and model.safetensors, or a hub id; the embedded model unless given',
  },
  dtype: {
    kind: 'text',
    value: 'TYPE',
    help: 'type of the weights',
    choices: ['f64', 'f32', 'f16', 'bf16', 'int8'],
    fallback: 'f32',
  },
  ...BACKEND_OPTIONS,
} as const;

export function openBackend(values: Values): Promise<Backend> {
  return createBackend(values.text('backend') as BackendName | 'auto', { threads: values.number('threads') });
}

/** Loads the model that the options name, runs `use` on it, and frees everything whatever happens. */
export async function withModel(
  values: Values,
  io: Io,
  use: (lm: MambaLM, backend: Backend) => Promise<void>,
): Promise<void> {
  const backend = await openBackend(values);
  const progress = new Progress(io);
  try {
    const lm = await MambaLM.fromPretrained(values.text('model') ?? embeddedModel(), {
      backend,
      dtype: values.text('dtype') as 'f64' | 'f32' | 'f16' | 'bf16' | 'int8',
      signal: io.signal,
      onProgress: ({ phase, loaded, total }) => progress.show(phase, loaded, total),
    });
    progress.clear();
    await use(lm, backend);
  } finally {
    progress.clear();
    await backend.dispose();
  }
}
