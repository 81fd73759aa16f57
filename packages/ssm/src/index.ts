export {
  discreteHalfLives,
  discreteTimeConstants,
  halfLives,
  impulseResponse,
  memoryHalfLife,
  poles,
  timeConstants,
} from './analysis.js';
export { type Complex, type ComplexVector, complexExpm1, complexPhi1, complexVector } from './complex.js';
export { causalConvolution, causalConvolutionFft } from './convolution.js';
export { type Discretization, type DiscretizeOptions, discretize, discretizeDense } from './discretize.js';
export { type DplrSSM, dplrKernel, truncatedOutput } from './dplr.js';
export { type DtInitOptions, initDt, initDtBias, inverseSoftplus } from './dt-init.js';
export { fft, ifft } from './fft.js';
export {
  dplrFromHippo,
  type Hippo,
  hippoLegS,
  hippoLegT,
  type NormalEigen,
  normalEigen,
  normalPart,
} from './hippo.js';
export { denseKernel, diagonalKernel } from './kernel.js';
export { Random } from './random.js';
export { denseRecurrence, diagonalRecurrence, diagonalStep } from './recurrence.js';
export { s4dInv, s4dLegS, s4dLin, s4dReal, s4dRealALog } from './s4d-init.js';
export type { ComplexDiagonalSSM, DenseSSM, DiagonalSSM, RealDiagonalSSM } from './ssm.js';
