import type { LongConvInputs, Tensor } from '@mamba-ts/backend';
import { causalConvolutionFft } from '@mamba-ts/ssm';
import { type Cpu, floats, optionalFloats, resultType, round } from '../cpu.js';
import type { Floats } from '../tensor.js';

/** y_t = sum_j kernel_j x_{t-j} + D x_t, per channel, by FFT */
export function longConv(cpu: Cpu, { x, kernel, D }: LongConvInputs): Tensor {
  const [batch, length, channels] = x.shape;
  const [xs, k, skip] = [floats(cpu, x), floats(cpu, kernel), optionalFloats(cpu, D)];
  const y = new Float64Array(xs.length);
  for (let b = 0; b < batch; b++) {
    for (let d = 0; d < channels; d++) {
      const column = columnOf(xs, b, d, length, channels);
      const out = causalConvolutionFft(column, rowOf(k, d, kernel.shape[1]));
      for (let t = 0; t < length; t++) {
        y[(b * length + t) * channels + d] = out[t] + (skip ? skip[d] * column[t] : 0);
      }
    }
  }
  return round(cpu, y, x.shape, resultType(x));
}

/** Both gradients are correlations, which are convolutions with dy read backward. */
export function longConvBackward(
  cpu: Cpu,
  { x, kernel, D }: LongConvInputs,
  grads: { dy: Tensor },
): { dx: Tensor; dkernel: Tensor; dD?: Tensor } {
  const [batch, length, channels] = x.shape;
  const taps = kernel.shape[1];
  const [xs, k, dy, skip] = [
    floats(cpu, x),
    floats(cpu, kernel),
    floats(cpu, grads.dy),
    optionalFloats(cpu, D),
  ];
  const dx = new Float64Array(xs.length);
  const dkernel = new Float64Array(channels * taps);
  const dD = new Float64Array(channels);
  for (let b = 0; b < batch; b++) {
    for (let d = 0; d < channels; d++) {
      const column = columnOf(xs, b, d, length, channels);
      const reversed = columnOf(dy, b, d, length, channels).reverse();
      const toX = causalConvolutionFft(reversed, rowOf(k, d, taps));
      const toKernel = causalConvolutionFft(reversed, column);
      for (let t = 0; t < length; t++) {
        const g = reversed[length - 1 - t];
        dx[(b * length + t) * channels + d] = toX[length - 1 - t] + (skip ? skip[d] * g : 0);
        dD[d] += g * column[t];
      }
      for (let j = 0; j < Math.min(taps, length); j++) dkernel[d * taps + j] += toKernel[length - 1 - j];
    }
  }
  const dtype = resultType(x);
  return {
    dx: round(cpu, dx, x.shape, dtype),
    dkernel: round(cpu, dkernel, kernel.shape, dtype),
    ...(D && { dD: round(cpu, dD, D.shape, dtype) }),
  };
}

function columnOf(x: Floats, b: number, d: number, length: number, channels: number): Float64Array {
  return Float64Array.from({ length }, (_, t) => x[(b * length + t) * channels + d]);
}

function rowOf(x: Floats, row: number, columns: number): Float64Array {
  return Float64Array.from(x.subarray(row * columns, (row + 1) * columns));
}
