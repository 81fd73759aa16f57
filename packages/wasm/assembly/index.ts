export { join, runSequence, serve } from './pool';
export { initProducts } from './panels';
export { initConstants } from './simd';
export { kernelOf } from './kernels';
export { gemmScratch } from './gemm';

// The inner loops: exported only so that Binaryen does not inline them. Each needs all the registers for itself.
export { tile } from './gemm';
export { panelF32 } from './matvec';
export { panelBf16, panelF16, panelPairs, panelQuads, panelWords } from './matvec-narrow';
export { advanceOne, advanceTwo, advanceTwoConstant, decays } from './scan';
export { stepDecays, stepStates, stepStates16 } from './scan-step';
export { forthAndBack, forthAndBackConstant, stateOnly } from './scan-backward';
