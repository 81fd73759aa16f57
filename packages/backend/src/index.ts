export type { Backend, Capture, MemoryUse, OpNeed } from './backend.js';
export * from './checks/index.js';
export * from './errors.js';
export * from './half.js';
export { TensorLedger, tensorsIn } from './ledger.js';
export type * from './ops.js';
export * from './quantize.js';
export * from './tensor.js';
