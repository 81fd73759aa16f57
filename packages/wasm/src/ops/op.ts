import type { MaybeComplex, OpName, Ops, OptionalOpName, OptionalOps, Tensor } from '@mamba-ts/backend';
import type { Runtime } from '../runtime.js';
import type { WasmTensor } from '../tensor.js';

/** All that this backend has: every op of the contract, and those that are optional. */
export type WasmOps = Ops & OptionalOps;
export type WasmOpName = OpName | OptionalOpName;

/** An op as it is written here: with the runtime first, on arguments whose tensors live in its memory. */
export type Op<K extends WasmOpName> = (
  runtime: Runtime,
  ...args: Parameters<WasmOps[K]>
) => ReturnType<WasmOps[K]>;

/** A tensor that `checkTensors` found to be of this backend. */
export function own(tensor: Tensor): WasmTensor {
  return tensor as WasmTensor;
}

/** The address of a tensor, 0 for one that was not given. */
export function addressOf(tensor: Tensor | undefined): number {
  return tensor === undefined ? 0 : own(tensor).address;
}

/** The real tensor that a shape check has found one to be. */
export function real(tensor: MaybeComplex): WasmTensor {
  return tensor as WasmTensor;
}

export function ceilDiv(a: number, b: number): number {
  return Math.ceil(a / b);
}
