import { checkLongConv, checkLongConvBackward } from '@mamba-ts/backend';
import { causalConvolution, causalConvolutionFft } from '@mamba-ts/ssm';
import { accumulator, store } from '../accumulate.js';
import { readColumn, writeColumn } from '../columns.js';
import { floats, optionalFloats } from '../cpu-tensor.js';
import type { Kernel } from '../kernel.js';

/** From this length of the shorter one on, the FFT takes less time than the definition (Node 20, x64). */
const FFT_TAPS = 1024;

/** y_t = sum_{j <= min(t, K-1)} kernel_j x_{t-j} + D x_t, channel by channel. */
export const longConv: Kernel<'longConv'> = (make, inputs) => {
  const { dtype, batch, length, channels, taps } = checkLongConv(inputs);
  const kernel = floats(inputs.kernel);
  const D = optionalFloats(inputs.D);
  const y = make(inputs.x.shape, dtype);
  const x = new Float64Array(length);
  for (let column = 0; column < batch * channels; column++) {
    const d = column % channels;
    readColumn(inputs.x, column, x);
    const out = convolve(x, Float64Array.from(kernel.subarray(d * taps, (d + 1) * taps)));
    if (D) for (let t = 0; t < length; t++) out[t] += D[d] * x[t];
    writeColumn(y, column, out);
  }
  return y;
};

/**
 * Both gradients are causal convolutions of the reversed dy: dx_s = sum_t kernel_{t-s} dy_t is one with the kernel, reversed
 * back, and dkernel_j = sum_t x_{t-j} dy_t is one with x, read from its end.
 */
export const longConvBackward: Kernel<'longConvBackward'> = (make, inputs, grads) => {
  const { dtype, batch, length, channels, taps } = checkLongConvBackward(inputs, grads);
  const kernel = floats(inputs.kernel);
  const D = optionalFloats(inputs.D);
  const dx = make(inputs.x.shape, dtype);
  const dkernel = make(inputs.kernel.shape, dtype);
  const dD = inputs.D && make([channels], dtype);
  const kernelSums = accumulator(dkernel);
  const skipSums = dD && accumulator(dD);
  const x = new Float64Array(length);
  const dy = new Float64Array(length);
  for (let column = 0; column < batch * channels; column++) {
    const d = column % channels;
    readColumn(inputs.x, column, x);
    readColumn(grads.dy, column, dy);
    dy.reverse();
    const byKernel = convolve(dy, Float64Array.from(kernel.subarray(d * taps, (d + 1) * taps)));
    const byInput = convolve(dy, x);
    for (let j = 0; j < Math.min(taps, length); j++) kernelSums[d * taps + j] += byInput[length - 1 - j];
    if (skipSums) skipSums[d] += byInput[length - 1];
    if (D) for (let t = 0; t < length; t++) byKernel[t] += D[d] * dy[t];
    writeColumn(dx, column, byKernel.reverse());
  }
  store(kernelSums, dkernel);
  if (dD && skipSums) store(skipSums, dD);
  return { dx, dkernel, ...(dD && { dD }) };
};

function convolve(x: Float64Array, kernel: Float64Array): Float64Array {
  const direct = Math.min(x.length, kernel.length) < FFT_TAPS;
  return direct ? causalConvolution(x, kernel) : causalConvolutionFft(x, kernel);
}
