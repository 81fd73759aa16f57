import type { LongConvInputs, Tensor } from '@mamba-ts/backend';
import { Random } from '@mamba-ts/ssm';
import { afterAll, describe, expect, it } from 'vitest';
import { gradientError } from '../../test/finite-differences.js';
import { type Host, normal, relativeError, upload, values } from '../../test/host.js';
import { createCpuBackend } from '../index.js';

const backend = await createCpuBackend();
const { ops } = backend;
afterAll(() => backend.dispose());

function draw(seed: number, length: number, taps: number, skip: boolean) {
  const random = new Random(seed);
  const channels = 2;
  return {
    x: normal(random, [2, length, channels]),
    kernel: normal(random, [channels, taps]),
    ...(skip && { D: normal(random, [channels]) }),
  };
}

function naive(x: Host, kernel: Host, D: Host | undefined): Float64Array {
  const [, length, channels] = x.shape;
  const taps = kernel.shape[1];
  return x.data.map((value, i) => {
    const d = i % channels;
    const t = Math.floor(i / channels) % length;
    let sum = D ? D.data[d] * value : 0;
    for (let j = 0; j <= Math.min(t, taps - 1); j++)
      sum += kernel.data[d * taps + j] * x.data[i - j * channels];
    return sum;
  });
}

describe('longConv', () => {
  it('is its definition, with kernels shorter and longer than the sequence', () => {
    for (const [length, taps] of [
      [1, 1],
      [9, 3],
      [9, 9],
      [9, 20],
      [1, 5],
    ]) {
      for (const skip of [false, true]) {
        const inputs = draw(length, length, taps, skip);
        backend.scope(() => {
          const y = ops.longConv(upload<LongConvInputs>(backend, inputs));
          expect(relativeError(values(y), naive(inputs.x, inputs.kernel, inputs.D))).toBeLessThan(1e-14);
        });
      }
    }
  });

  it('is its definition by the FFT too, forward and backward', () => {
    const inputs = draw(1, 1500, 1100, true);
    const dy = normal(new Random(2), inputs.x.shape);
    backend.scope(() => {
      const tensors = upload<LongConvInputs>(backend, inputs);
      expect(
        relativeError(values(ops.longConv(tensors)), naive(inputs.x, inputs.kernel, inputs.D)),
      ).toBeLessThan(1e-12);

      // <dy, conv(x)> is bilinear in x and in the kernel: each gradient's product with its input gives it again.
      const { dx, dkernel, dD } = ops.longConvBackward(tensors, { dy: upload<Tensor>(backend, dy) });
      const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
        Array.from(a, (v, i) => v * b[i]).reduce((s, v) => s + v, 0);
      const withoutSkip = naive(inputs.x, inputs.kernel, undefined);
      expect(dot(values(dkernel), inputs.kernel.data)).toBeCloseTo(dot(dy.data, withoutSkip), 8);
      expect(dot(values(dx), inputs.x.data)).toBeCloseTo(
        dot(dy.data, naive(inputs.x, inputs.kernel, inputs.D)),
        8,
      );
      const skipped = [0, 1].map((d) =>
        dot(
          dy.data,
          inputs.x.data.map((v, i) => (i % 2 === d ? v : 0)),
        ),
      );
      expect(relativeError(values(dD!), skipped)).toBeLessThan(1e-12);
      // And element by element, for a few of them: taps j see x_{t-j}.
      for (const j of [0, 1, 700, 1099]) {
        const [d, length] = [1, 1500];
        let want = 0;
        for (let b = 0; b < 2; b++)
          for (let t = j; t < length; t++)
            want += dy.data[(b * length + t) * 2 + d] * inputs.x.data[(b * length + t - j) * 2 + d];
        expect(values(dkernel)[d * 1100 + j]).toBeCloseTo(want, 9);
      }
    });
  });
});

describe('longConvBackward', () => {
  it('agrees with central differences', () => {
    for (const [length, taps] of [
      [1, 1],
      [6, 3],
      [6, 6],
      [4, 7],
    ]) {
      for (const skip of [false, true]) {
        const { error, gradient } = gradientError(backend, 'longConv', draw(taps, length, taps, skip), {
          '': 'dy',
        });
        expect(error, `${gradient}, length ${length}, ${taps} taps`).toBeLessThan(1e-7);
      }
    }
  });
});
