import type { OpName } from '@mamba-ts/backend';
import type { Kernel } from '../kernel.js';
import { adamW } from './adamw.js';
import { argmax } from './argmax.js';
import { causalConv1d, causalConv1dBackward, causalConv1dStep } from './causal-conv1d.js';
import { concat } from './concat.js';
import { copy } from './copy.js';
import { crossEntropy, crossEntropyBackward } from './cross-entropy.js';
import { add, exp, mul, silu, siluBackward } from './elementwise.js';
import { embedding, embeddingBackward } from './embedding.js';
import { fill } from './fill.js';
import { gradNorm } from './grad-norm.js';
import { linear, linearBackward } from './linear.js';
import { linearRecurrence, linearRecurrenceBackward } from './linear-recurrence.js';
import { longConv, longConvBackward } from './long-conv.js';
import { layerNorm, layerNormBackward, rmsNorm, rmsNormBackward } from './norms.js';
import { s4dKernel, s4dKernelBackward } from './s4d-kernel.js';
import { selectiveScanBackward } from './selective-scan/backward.js';
import { selectiveScan, selectiveScanStep } from './selective-scan/forward.js';
import { split } from './split.js';

export const kernels: { readonly [K in OpName]: Kernel<K> } = {
  adamW,
  add,
  argmax,
  causalConv1d,
  causalConv1dBackward,
  causalConv1dStep,
  concat,
  copy,
  crossEntropy,
  crossEntropyBackward,
  embedding,
  embeddingBackward,
  exp,
  fill,
  gradNorm,
  layerNorm,
  layerNormBackward,
  linear,
  linearBackward,
  linearRecurrence,
  linearRecurrenceBackward,
  longConv,
  longConvBackward,
  mul,
  rmsNorm,
  rmsNormBackward,
  s4dKernel,
  s4dKernelBackward,
  selectiveScan,
  selectiveScanBackward,
  selectiveScanStep,
  silu,
  siluBackward,
  split,
};
