import type { DType, OpName, Ops } from '@mamba-ts/backend';
import type { CpuTensor } from './cpu-tensor.js';

/** Makes a tensor of zeros for a result. */
export type Make = (shape: readonly number[], dtype: DType) => CpuTensor;

/** An op of the contract, given what makes its results. */
export type Kernel<K extends OpName> = (make: Make, ...args: Parameters<Ops[K]>) => ReturnType<Ops[K]>;
