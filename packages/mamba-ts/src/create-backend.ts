import { type Backend, MambaError } from '@mamba-ts/backend';

/** The backends that come with mamba-ts, the one that `auto` prefers first. */
export const BACKENDS = ['webgpu', 'wasm', 'cpu'] as const;
export type BackendName = (typeof BACKENDS)[number];

export interface CreateBackendOptions {
  /** Threads of the wasm backend. All cores unless said. */
  threads?: number | undefined;
}

/** Why a backend was, or was not, made. */
export interface BackendProbe {
  readonly name: BackendName;
  readonly available: boolean;
  /** The backend's own description, or the reason why it was refused. */
  readonly detail: string;
}

/** Each backend's code is loaded only when it is asked for, so that bundles split. */
async function create(name: BackendName, options: CreateBackendOptions): Promise<Backend> {
  switch (name) {
    case 'cpu':
      return (await import('@mamba-ts/cpu')).createCpuBackend();
    case 'wasm':
      return (await import('@mamba-ts/wasm')).createWasmBackend(
        options.threads === undefined ? {} : { threads: options.threads },
      );
    case 'webgpu':
      return (await import('@mamba-ts/webgpu')).createWebgpuBackend();
  }
}

/**
 * Makes a backend by name. `auto` takes the first of `BACKENDS` that this machine can run.
 *
 * Throws `INVALID_ARGUMENT` for an unknown name and `UNSUPPORTED_DEVICE` when the machine lacks what the backend needs.
 */
export async function createBackend(
  name: BackendName | 'auto' = 'auto',
  options: CreateBackendOptions = {},
): Promise<Backend> {
  if (name !== 'auto') {
    if (!BACKENDS.includes(name)) {
      throw new MambaError(
        'INVALID_ARGUMENT',
        `createBackend: there is no backend "${name}". Use auto, ${BACKENDS.join(', ')}`,
      );
    }
    return create(name, options);
  }
  const refused: string[] = [];
  for (const candidate of BACKENDS) {
    try {
      return await create(candidate, options);
    } catch (error) {
      refused.push(`${candidate}: ${reason(error)}`);
    }
  }
  throw new MambaError('UNSUPPORTED_DEVICE', `No backend runs on this machine. ${refused.join('; ')}`);
}

/** Tries these backends, all unless said, and says what this machine offers; `mamba-ts doctor` prints it. */
export async function probeBackends(
  options: CreateBackendOptions = {},
  names: readonly BackendName[] = BACKENDS,
): Promise<BackendProbe[]> {
  const probes: BackendProbe[] = [];
  for (const name of names) {
    try {
      const backend = await create(name, options);
      probes.push({ name, available: true, detail: backend.description });
      await backend.dispose();
    } catch (error) {
      probes.push({ name, available: false, detail: reason(error) });
    }
  }
  return probes;
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
