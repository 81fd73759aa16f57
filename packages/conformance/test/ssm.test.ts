import {
  type ComplexVector,
  causalConvolutionFft,
  diagonalKernel,
  diagonalRecurrence,
  discretize,
} from '@mamba-ts/ssm';
import { expect, test } from 'vitest';
import { fixture, type HostTensor } from '../src/index.js';

// @mamba-ts/ssm comes before this package, so what the official S4D says of it is asked here.

const { cases, tensorsOf } = await fixture('s4d');

/** max |x - ref| / max |ref| */
function error(got: ArrayLike<number>, want: ArrayLike<number>): number {
  let [worst, largest] = [0, 0];
  for (let i = 0; i < want.length; i++) {
    worst = Math.max(worst, Math.abs(got[i] - want[i]));
    largest = Math.max(largest, Math.abs(want[i]));
  }
  return worst / largest;
}

test.each(cases)(
  '$name: discretization, kernel, convolution and recurrence',
  ({ name, discretization, length }) => {
    const tensors = tensorsOf(name);
    const data = (key: string) => (tensors.get(key) as HostTensor).data;
    const [batch, , channels] = (tensors.get('u') as HostTensor).shape;
    const states = data('A.re').length / channels;
    const row = (key: string, i: number): ComplexVector => ({
      re: Float64Array.from(data(`${key}.re`).subarray(i * states, (i + 1) * states)),
      im: Float64Array.from(data(`${key}.im`).subarray(i * states, (i + 1) * states)),
    });
    for (let d = 0; d < channels; d++) {
      const continuous = { A: row('A', d), B: row('B', d), C: row('C', d) };
      const discrete = discretize(continuous, data('dt')[d], discretization as 'zoh' | 'bilinear');
      for (const part of ['re', 'im'] as const) {
        expect(error(discrete.A[part], row('A_bar', d)[part]) || 0, `Ā.${part}`).toBeLessThan(1e-13);
        expect(error(discrete.B[part], row('B_bar', d)[part]) || 0, `B̄.${part}`).toBeLessThan(1e-13);
      }
      const kernel = diagonalKernel(discrete, length as number);
      const official = data('K').subarray(d * kernel.length, (d + 1) * kernel.length);
      expect(error(kernel, official), 'kernel').toBeLessThan(1e-12);
      for (let b = 0; b < batch; b++) {
        const channel = (key: string) =>
          Float64Array.from(kernel, (_, l) => data(key)[(b * kernel.length + l) * channels + d]);
        const u = channel('u');
        const y = channel('y').map((value, l) => value - data('D')[d] * u[l]);
        const stepped = diagonalRecurrence(discrete, u);
        expect(error(causalConvolutionFft(u, kernel), y), 'convolution').toBeLessThan(1e-12);
        expect(error(stepped.y, y), 'recurrence').toBeLessThan(1e-12);
        const last = row('lastState', b * channels + d);
        expect(error(stepped.lastState.re, last.re), 'last state').toBeLessThan(1e-12);
      }
    }
  },
);
