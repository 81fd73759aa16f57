import { checkLinearRecurrence, checkLinearRecurrenceBackward } from '@mamba-ts/backend';
import { RECURRENCE, RECURRENCE_BACKWARD } from '../kernel-ids.js';
import { addressOf, ceilDiv, type Op } from './op.js';

/** Channels of a piece. */
const CHANNELS = 16;

export const linearRecurrence: Op<'linearRecurrence'> = (runtime, inputs) => {
  const { batch, length, channels } = checkLinearRecurrence(inputs);
  const { a, b, initialState } = inputs;
  const h = runtime.empty(a.shape);
  const lastState = runtime.empty([batch, channels]);
  runtime.run({
    kernel: RECURRENCE,
    pieces: batch * ceilDiv(channels, CHANNELS),
    ints: [...[a, b, initialState, h, lastState].map(addressOf), length, channels],
    work: batch * length * channels,
  });
  return { h, lastState };
};

export const linearRecurrenceBackward: Op<'linearRecurrenceBackward'> = (runtime, inputs, grads) => {
  const { batch, length, channels } = checkLinearRecurrenceBackward(inputs, grads);
  const { a, b, initialState } = inputs;
  const da = runtime.empty(a.shape);
  const db = runtime.empty(a.shape);
  const dInitialState = initialState && runtime.empty([batch, channels]);
  runtime.run({
    kernel: RECURRENCE_BACKWARD,
    pieces: batch * ceilDiv(channels, CHANNELS),
    ints: [
      ...[a, b, initialState, grads.dh, grads.dLastState].map(addressOf),
      length,
      channels,
      ...[da, db, dInitialState].map(addressOf),
    ],
    work: 3 * batch * length * channels,
  });
  return { da, db, ...(dInitialState && { dInitialState }) };
};
