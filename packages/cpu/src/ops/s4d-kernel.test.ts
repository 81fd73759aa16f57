import type { S4dKernelInputs, SelectiveScanInputs } from '@mamba-ts/backend';
import { Random } from '@mamba-ts/ssm';
import { afterAll, describe, expect, it } from 'vitest';
import { gradientError } from '../../test/finite-differences.js';
import { host, normal, relativeError, uniform, upload, values } from '../../test/host.js';
import { createCpuBackend } from '../index.js';

const backend = await createCpuBackend();
const { ops } = backend;
afterAll(() => backend.dispose());

const [CHANNELS, STATE_SIZE] = [3, 4];

function draw(seed: number, length: number) {
  const random = new Random(seed);
  const of = [CHANNELS, STATE_SIZE];
  return {
    dt: uniform(random, [CHANNELS], 0.01, 0.5),
    A: { re: uniform(random, of, -1, -0.1), im: normal(random, of, 5) },
    C: { re: normal(random, of), im: normal(random, of) },
    length,
  };
}

describe('s4dKernel', () => {
  it('is the impulse response of the scan with the same system', () => {
    const length = 40;
    const { dt, A, C } = draw(1, length);
    backend.scope(() => {
      const kernel = ops.s4dKernel(upload<S4dKernelInputs>(backend, { dt, A, C, length }));
      const size = length * CHANNELS;
      const scan = {
        u: host(
          [1, length, CHANNELS],
          Float64Array.from({ length: size }, (_, i) => (i < CHANNELS ? 1 : 0)),
        ),
        delta: host(
          [1, length, CHANNELS],
          Float64Array.from({ length: size }, (_, i) => dt.data[i % CHANNELS]),
        ),
        A,
        B: host([CHANNELS, STATE_SIZE], new Float64Array(CHANNELS * STATE_SIZE).fill(1)),
        C,
        discretization: 'zoh',
      };
      const { y } = ops.selectiveScan(upload<SelectiveScanInputs>(backend, scan));
      const byChannel = values(kernel).map(
        (_, i) => values(y)[(i % length) * CHANNELS + Math.floor(i / length)],
      );
      expect(relativeError(values(kernel), byChannel)).toBeLessThan(1e-13);
    });
  });

  it('has its limit at A = 0: a sum of 2 dt Re C', () => {
    backend.scope(() => {
      const inputs = {
        dt: host([1], [0.25]),
        A: { re: host([1, 2], [0, 0]), im: host([1, 2], [0, 1e-12]) },
        C: { re: host([1, 2], [1, 2]), im: host([1, 2], [5, 5]) },
        length: 3,
      };
      const kernel = ops.s4dKernel(upload<S4dKernelInputs>(backend, inputs));
      expect(relativeError(values(kernel), [1.5, 1.5, 1.5])).toBeLessThan(1e-11);
    });
  });
});

describe('s4dKernelBackward', () => {
  it('agrees with central differences', () => {
    for (const length of [1, 2, 9, 30]) {
      const { error, gradient } = gradientError(backend, 's4dKernel', draw(length, length), {
        '': 'dkernel',
      });
      expect(error, `${gradient}, length ${length}`).toBeLessThan(1e-7);
    }
  });

  it('agrees with them where A is zero or nearly so', () => {
    const inputs = draw(7, 4);
    inputs.A.re.data.set([0, 1e-9, -1e-4, -0.5]);
    inputs.A.im.data.set([0, -1e-9, 1e-4, 0]);
    const { error, gradient } = gradientError(backend, 's4dKernel', inputs, { '': 'dkernel' });
    expect(error, gradient).toBeLessThan(1e-7);
  });
});
