import { checkLongConv, checkLongConvBackward } from '@mamba-ts/backend';
import { LONG_CONV, LONG_CONV_BACKWARD } from '../kernel-ids.js';
import { addressOf, ceilDiv, type Op } from './op.js';

/** Channels of a piece. */
const CHANNELS = 4;

export const longConv: Op<'longConv'> = (runtime, inputs) => {
  const { batch, length, channels, taps } = checkLongConv(inputs);
  const { x, kernel, D } = inputs;
  const y = runtime.empty(x.shape);
  runtime.run({
    kernel: LONG_CONV,
    pieces: batch * ceilDiv(channels, CHANNELS),
    ints: [...[x, kernel, D, y].map(addressOf), length, channels, taps],
    work: (batch * length * channels * Math.min(length, taps)) / 8,
    scratch: 16 * (length + taps + 24),
  });
  return y;
};

export const longConvBackward: Op<'longConvBackward'> = (runtime, inputs, grads) => {
  const { batch, length, channels, taps } = checkLongConvBackward(inputs, grads);
  const { x, kernel, D } = inputs;
  const dx = runtime.empty(x.shape);
  const dkernel = runtime.empty(kernel.shape);
  const dD = D && runtime.empty([channels]);
  runtime.run({
    kernel: LONG_CONV_BACKWARD,
    pieces: ceilDiv(channels, CHANNELS),
    ints: [
      ...[x, kernel, D, grads.dy].map(addressOf),
      length,
      channels,
      taps,
      ...[dx, dkernel, dD].map(addressOf),
      batch,
    ],
    work: (batch * length * channels * Math.min(length, taps)) / 4,
    scratch: 16 * (2 * length + 2 * taps + 56),
  });
  return { dx, dkernel, ...(dD && { dD }) };
};
