export { join, run, runAlone, serve } from './pool';
export { initConstants } from './simd';
export { kernelOf } from './kernels';
export { gemmScratch } from './gemm';
