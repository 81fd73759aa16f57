import { fft, ifft, multiplyInto, nextPowerOfTwo } from './fft.js';

/**
 * The causal convolution y_l = Σ_{j <= l} K_j u_{l-j}, by its definition: O(L²). Taps beyond the kernel's end are zero;
 * y is as long as u.
 */
export function causalConvolution(u: Float64Array, kernel: Float64Array): Float64Array {
  const y = new Float64Array(u.length);
  for (let l = 0; l < y.length; l++) {
    const taps = Math.min(l + 1, kernel.length);
    let sum = 0;
    for (let j = 0; j < taps; j++) sum += kernel[j]! * u[l - j]!;
    y[l] = sum;
  }
  return y;
}

/**
 * The same by FFT: O(L log L). Both are padded to a power of two that holds the whole linear convolution, so that nothing
 * wraps around. The error is relative to the largest |y|, not to each y.
 */
export function causalConvolutionFft(u: Float64Array, kernel: Float64Array): Float64Array {
  const taps = Math.min(kernel.length, u.length);
  if (taps === 0) return new Float64Array(u.length);
  const size = nextPowerOfTwo(u.length + taps - 1);
  const spectrum = fft(padded(u, size));
  multiplyInto(spectrum, fft(padded(kernel.subarray(0, taps), size)));
  return ifft(spectrum).re.slice(0, u.length);
}

function padded(x: Float64Array, size: number) {
  const re = new Float64Array(size);
  re.set(x);
  return { re, im: new Float64Array(size) };
}
