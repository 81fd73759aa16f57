export type { WebgpuBackend } from './backend.js';
export { createWebgpuBackend, type WebgpuBackendOptions } from './create.js';
export type { Counters, DispatchInfo } from './engine.js';
export type { WebgpuOps } from './ops/index.js';
