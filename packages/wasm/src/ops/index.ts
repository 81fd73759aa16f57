import { argmax } from './argmax.js';
import { causalConv1d, causalConv1dBackward, causalConv1dStep } from './causal-conv1d.js';
import { crossEntropy, crossEntropyBackward } from './cross-entropy.js';
import { add, exp, fill, mul, silu, siluBackward } from './elementwise.js';
import { embedding, embeddingBackward } from './embedding.js';
import { linear, linearBackward } from './linear.js';
import { linearRecurrence, linearRecurrenceBackward } from './linear-recurrence.js';
import { longConv, longConvBackward } from './long-conv.js';
import { mambaStep } from './mamba-step.js';
import { layerNorm, layerNormBackward, rmsNorm, rmsNormBackward } from './norm.js';
import type { Op, WasmOpName } from './op.js';
import { adamW, gradNorm } from './optimiser.js';
import { s4dKernel, s4dKernelBackward } from './s4d-kernel.js';
import { sample } from './sample.js';
import { selectiveScan, selectiveScanBackward, selectiveScanStep } from './selective-scan/index.js';
import { concat, copy, split } from './split-concat.js';

export const implementations: { [K in WasmOpName]: Op<K> } = {
  add,
  mul,
  silu,
  siluBackward,
  exp,
  fill,
  linear,
  linearBackward,
  embedding,
  embeddingBackward,
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
  split,
  concat,
  copy,
  crossEntropy,
  crossEntropyBackward,
  argmax,
  gradNorm,
  adamW,
  mambaStep,
  sample,
};
