import type { Ops } from '@mamba-ts/backend';
import type { Cpu } from '../cpu.js';
import { argmax } from './argmax.js';
import { causalConv1d, causalConv1dBackward, causalConv1dStep } from './causal-conv1d.js';
import { crossEntropy, crossEntropyBackward } from './cross-entropy.js';
import { add, exp, mul, silu, siluBackward } from './elementwise.js';
import { embedding, embeddingBackward } from './embedding.js';
import { linear, linearBackward } from './linear.js';
import { linearRecurrence, linearRecurrenceBackward } from './linear-recurrence.js';
import { longConv, longConvBackward } from './long-conv.js';
import { layerNorm, layerNormBackward, rmsNorm, rmsNormBackward } from './norm.js';
import { adamW, gradNorm } from './optimizer.js';
import { s4dKernel, s4dKernelBackward } from './s4d-kernel.js';
import { selectiveScan, selectiveScanStep } from './selective-scan.js';
import { selectiveScanBackward } from './selective-scan-backward.js';
import { concat, copy, fill, split } from './shape.js';

/** The operations, each with the backend as its first argument filled in. */
export function cpuOps(cpu: Cpu): Ops {
  return {
    embedding: (inputs) => embedding(cpu, inputs),
    embeddingBackward: (inputs, grads) => embeddingBackward(cpu, inputs, grads),
    linear: (inputs) => linear(cpu, inputs),
    linearBackward: (inputs, grads) => linearBackward(cpu, inputs, grads),
    rmsNorm: (inputs) => rmsNorm(cpu, inputs),
    rmsNormBackward: (inputs, grads) => rmsNormBackward(cpu, inputs, grads),
    layerNorm: (inputs) => layerNorm(cpu, inputs),
    layerNormBackward: (inputs, grads) => layerNormBackward(cpu, inputs, grads),
    causalConv1d: (inputs) => causalConv1d(cpu, inputs),
    causalConv1dBackward: (inputs, grads) => causalConv1dBackward(cpu, inputs, grads),
    causalConv1dStep: (inputs) => causalConv1dStep(cpu, inputs),
    selectiveScan: (inputs) => selectiveScan(cpu, inputs),
    selectiveScanBackward: (inputs, grads) => selectiveScanBackward(cpu, inputs, grads),
    selectiveScanStep: (inputs) => selectiveScanStep(cpu, inputs),
    linearRecurrence: (inputs) => linearRecurrence(cpu, inputs),
    linearRecurrenceBackward: (inputs, grads) => linearRecurrenceBackward(cpu, inputs, grads),
    s4dKernel: (inputs) => s4dKernel(cpu, inputs),
    s4dKernelBackward: (inputs, grads) => s4dKernelBackward(cpu, inputs, grads),
    longConv: (inputs) => longConv(cpu, inputs),
    longConvBackward: (inputs, grads) => longConvBackward(cpu, inputs, grads),
    add: (inputs) => add(cpu, inputs),
    mul: (inputs) => mul(cpu, inputs),
    silu: (inputs) => silu(cpu, inputs),
    siluBackward: (inputs, grads) => siluBackward(cpu, inputs, grads),
    exp: (inputs) => exp(cpu, inputs),
    split: (inputs) => split(cpu, inputs),
    concat: (inputs) => concat(cpu, inputs),
    copy: (inputs) => copy(cpu, inputs),
    fill: (inputs) => fill(cpu, inputs),
    crossEntropy: (inputs) => crossEntropy(cpu, inputs),
    crossEntropyBackward: (inputs, grads) => crossEntropyBackward(cpu, inputs, grads),
    argmax: (inputs) => argmax(cpu, inputs),
    gradNorm: (inputs) => gradNorm(cpu, inputs),
    adamW: (inputs) => adamW(cpu, inputs),
  };
}
