import { checkSelectiveScan, checkSelectiveScanBackward, checkSelectiveScanStep } from '@mamba-ts/backend';
import { type Op, real } from '../op.js';
import { type FastScanInputs, isFast, isFastBackward, scan, scanBackward, scanStep } from './fast.js';
import { generalScan, generalScanBackward } from './general.js';

export const selectiveScan: Op<'selectiveScan'> = (runtime, inputs) => {
  const dims = checkSelectiveScan(inputs);
  return isFast(dims) ? scan(runtime, inputs as FastScanInputs, dims) : generalScan(runtime, inputs, dims);
};

export const selectiveScanBackward: Op<'selectiveScanBackward'> = (runtime, inputs, grads) => {
  const dims = checkSelectiveScanBackward(inputs, grads);
  return isFastBackward(dims)
    ? scanBackward(runtime, inputs as FastScanInputs, grads as Parameters<typeof scanBackward>[2], dims)
    : generalScanBackward(runtime, inputs, grads, dims);
};

export const selectiveScanStep: Op<'selectiveScanStep'> = (runtime, inputs) => {
  const dims = checkSelectiveScanStep(inputs);
  // A step takes B and C from memory, so that it needs no fours of channels.
  if (!dims.complex && dims.discretization === 'mamba') {
    return scanStep(runtime, inputs, real(inputs.state), dims);
  }
  return generalScan(runtime, { ...inputs, initialState: inputs.state }, dims, inputs.state).y;
};
