import {
  checkTensors,
  type OpName,
  type Ops,
  type OptionalOpName,
  type OptionalOps,
} from '@mamba-ts/backend';
import type { Gpu } from '../gpu.js';
import { argmax } from './argmax.js';
import { causalConv1d, causalConv1dBackward, causalConv1dStep } from './causal-conv1d.js';
import { crossEntropy, crossEntropyBackward } from './cross-entropy.js';
import { add, copy, exp, fill, mul, silu, siluBackward } from './elementwise.js';
import { embedding, embeddingBackward } from './embedding.js';
import { linear, linearBackward } from './linear.js';
import { linearRecurrence, linearRecurrenceBackward } from './linear-recurrence.js';
import { mambaStep } from './mamba-step.js';
import { layerNorm, layerNormBackward, rmsNorm, rmsNormBackward } from './norms.js';
import { adamW, gradNorm } from './optimiser.js';
import { longConv, longConvBackward, s4dKernel, s4dKernelBackward } from './s4d.js';
import { sample } from './sample.js';
import { selectiveScanBackward } from './scan/backward.js';
import { selectiveScan } from './scan/forward.js';
import { selectiveScanStep } from './scan/step.js';
import { concat, split } from './split-concat.js';

/** Every op of the contract, and every one that it leaves open. */
export type WebgpuOps = Ops & OptionalOps;

/** Each op, given the GPU first. */
const ALL: {
  readonly [Name in keyof WebgpuOps]: (
    gpu: Gpu,
    ...args: Parameters<WebgpuOps[Name]>
  ) => ReturnType<WebgpuOps[Name]>;
} = {
  embedding,
  embeddingBackward,
  linear,
  linearBackward,
  rmsNorm,
  rmsNormBackward,
  layerNorm,
  layerNormBackward,
  causalConv1d,
  causalConv1dBackward,
  causalConv1dStep,
  selectiveScan,
  selectiveScanBackward,
  selectiveScanStep,
  linearRecurrence,
  linearRecurrenceBackward,
  s4dKernel,
  s4dKernelBackward,
  longConv,
  longConvBackward,
  add,
  mul,
  silu,
  siluBackward,
  exp,
  split,
  concat,
  copy,
  fill,
  crossEntropy,
  crossEntropyBackward,
  argmax,
  gradNorm,
  adamW,
  mambaStep,
  sample,
};

export const OP_NAMES = Object.keys(ALL) as (OpName | OptionalOpName)[];

/**
 * The ops of a backend. Around each: errors that the device reported since the last call, tensors that must live here, and a
 * scope, so that an op's scratch goes back to the pool whether it returns or throws.
 */
export function opsOf(gpu: Gpu): WebgpuOps {
  const ops: Record<string, unknown> = {};
  for (const [name, op] of Object.entries(ALL)) {
    const run = op as (gpu: Gpu, ...args: object[]) => unknown;
    ops[name] = (...args: object[]) => {
      gpu.engine.errors.check();
      gpu.engine.pool.caller = name;
      checkTensors(name, args, 'webgpu', (tensor) => gpu.owns(tensor));
      return gpu.ledger.scope(() => run(gpu, ...args));
    };
  }
  return ops as unknown as WebgpuOps;
}
