export * from '@mamba-ts/backend';
export { openCheckpoint, openSource, writeSafetensors } from '@mamba-ts/checkpoint';
export * from '@mamba-ts/model';
export { evaluateText, lossAndGradients, tape, train } from '@mamba-ts/train';
export type { BenchRow } from './bench/cases.js';
export {
  BACKENDS,
  type BackendName,
  type BackendProbe,
  type CreateBackendOptions,
  createBackend,
  probeBackends,
} from './create-backend.js';
export { EMBEDDED_MODELS, type EmbeddedModel, embeddedModel } from './embedded.js';
export { kvCacheBytes } from './kv-cache.js';
