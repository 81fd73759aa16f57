export { type ArgmaxDims, checkArgmax } from './argmax.js';
export type { FloatDType } from './call-check.js';
export { isStorageType } from './call-check.js';
export {
  type CausalConv1dDims,
  checkCausalConv1d,
  checkCausalConv1dBackward,
  checkCausalConv1dStep,
} from './causal-conv1d.js';
export { type CrossEntropyDims, checkCrossEntropy, checkCrossEntropyBackward } from './cross-entropy.js';
export {
  checkBinary,
  checkExp,
  checkSilu,
  checkSiluBackward,
  type ElementwiseDims,
} from './elementwise.js';
export { checkEmbedding, checkEmbeddingBackward, checkId, type EmbeddingDims } from './embedding.js';
export { checkFill, type FillDims } from './fill.js';
export { checkLinear, checkLinearBackward, type LinearDims } from './linear.js';
export {
  checkLinearRecurrence,
  checkLinearRecurrenceBackward,
  type LinearRecurrenceDims,
} from './linear-recurrence.js';
export { checkLongConv, checkLongConvBackward, type LongConvDims } from './long-conv.js';
export { checkMambaStep, type MambaStepDims } from './mamba-step.js';
export {
  checkLayerNorm,
  checkLayerNormBackward,
  checkRmsNorm,
  checkRmsNormBackward,
  type NormDims,
} from './norms.js';
export { checkAdamW, checkGradNorm } from './optimiser.js';
export { checkS4dKernel, checkS4dKernelBackward, type S4dKernelDims } from './s4d-kernel.js';
export { checkSample, type SampleDims } from './sample.js';
export {
  type CoefficientForm,
  checkSelectiveScan,
  checkSelectiveScanBackward,
  checkSelectiveScanStep,
  type SelectiveScanDims,
} from './selective-scan.js';
export { checkConcat, checkSplit, type SplitDims } from './split-concat.js';
export { checkTensors } from './tensors.js';
export { checkUpload, checkWrite, checkZeros } from './upload.js';
