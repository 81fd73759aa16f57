export { createWasmBackend } from './backend.js';
export { createLimitProbe, type LimitProbe, type WasmLimits } from './limits.js';
export type { WasmBackendOptions } from './start.js';
