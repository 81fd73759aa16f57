import { checkS4dKernel, checkS4dKernelBackward } from '@mamba-ts/backend';
import { S4D_KERNEL, S4D_KERNEL_BACKWARD } from '../kernel-ids.js';
import { addressOf, type Op } from './op.js';

export const s4dKernel: Op<'s4dKernel'> = (runtime, inputs) => {
  const { channels, stateSize, length } = checkS4dKernel(inputs);
  const { dt, A, C } = inputs;
  const kernel = runtime.empty([channels, length]);
  runtime.run({
    kernel: S4D_KERNEL,
    pieces: channels,
    ints: [...[dt, A.re, A.im, C.re, C.im, kernel].map(addressOf), stateSize, length],
    work: channels * stateSize * length * 4,
    scratch: 8 * length,
  });
  return kernel;
};

export const s4dKernelBackward: Op<'s4dKernelBackward'> = (runtime, inputs, grads) => {
  const { channels, stateSize, length } = checkS4dKernelBackward(inputs, grads);
  const { dt, A, C } = inputs;
  const ddt = runtime.empty([channels]);
  const [aRe, aIm, cRe, cIm] = [A.re, A.im, C.re, C.im].map(({ shape }) => runtime.empty(shape));
  runtime.run({
    kernel: S4D_KERNEL_BACKWARD,
    pieces: channels,
    ints: [
      ...[dt, A.re, A.im, C.re, C.im, grads.dkernel].map(addressOf),
      stateSize,
      length,
      ...[ddt, aRe, aIm, cRe, cIm].map(addressOf),
    ],
    work: channels * stateSize * length * 6,
  });
  return { ddt, dA: { re: aRe, im: aIm }, dC: { re: cRe, im: cIm } };
};
