import {
  type CausalConv1dDims,
  type CausalConv1dInputs,
  checkCausalConv1d,
  checkCausalConv1dBackward,
  checkCausalConv1dStep,
  type Tensor,
} from '@mamba-ts/backend';
import { CONV, CONV_BACKWARD, CONV_STEP } from '../kernel-ids.js';
import type { Job } from '../runtime.js';
import { addressOf, ceilDiv, type Op } from './op.js';

/** Channels of a piece, a cache line: see assembly/conv.ts. */
const BLOCK = 16;
const LINE = 64;

function argumentsOf(
  { x, weight, bias, activation }: Pick<CausalConv1dInputs, 'x' | 'weight' | 'bias' | 'activation'>,
  { batch, length, channels, width }: CausalConv1dDims,
  state: Tensor | undefined,
  seqIdx: Tensor | undefined,
  y: Tensor,
): number[] {
  return [
    addressOf(x),
    addressOf(weight),
    addressOf(bias),
    addressOf(state),
    addressOf(seqIdx),
    length,
    channels,
    width,
    activation === 'silu' ? 1 : 0,
    batch,
    addressOf(y),
  ];
}

export const causalConv1d: Op<'causalConv1d'> = (runtime, inputs) => {
  const dims = checkCausalConv1d(inputs);
  const { batch, length, channels, width } = dims;
  const y = runtime.empty(inputs.x.shape);
  const lastState = runtime.empty([batch, width - 1, channels]);
  runtime.run({
    kernel: CONV,
    pieces: batch * ceilDiv(channels, BLOCK),
    ints: [...argumentsOf(inputs, dims, inputs.initialState, inputs.seqIdx, y), lastState.address],
    work: batch * length * channels * (width / 4 + 3),
    scratch: (width + 3) * LINE + 4 * width,
  });
  return { y, lastState };
};

export const causalConv1dBackward: Op<'causalConv1dBackward'> = (runtime, inputs, grads) => {
  const dims = checkCausalConv1dBackward(inputs, grads);
  const { batch, length, channels, width } = dims;
  const dx = runtime.empty(inputs.x.shape);
  const dweight = runtime.empty([channels, width]);
  const dbias = inputs.bias && runtime.empty([channels]);
  const dInitialState = inputs.initialState && runtime.empty([batch, width - 1, channels]);
  runtime.run({
    kernel: CONV_BACKWARD,
    pieces: ceilDiv(channels, BLOCK),
    ints: [
      ...argumentsOf(inputs, dims, inputs.initialState, inputs.seqIdx, grads.dy),
      ...[grads.dLastState, dx, dweight, dbias, dInitialState].map(addressOf),
    ],
    work: batch * length * channels * (width + 5),
    scratch: (length + 2 * width + 4) * LINE + 4 * width,
  });
  return { dx, dweight, ...(dbias && { dbias }), ...(dInitialState && { dInitialState }) };
};

export const causalConv1dStep: Op<'causalConv1dStep'> = (runtime, inputs) => {
  const { batch, channels, width } = checkCausalConv1dStep(inputs);
  const y = runtime.empty(inputs.x.shape);
  runtime.run(
    convStepJob({
      x: addressOf(inputs.x),
      stride: channels,
      weight: addressOf(inputs.weight),
      bias: addressOf(inputs.bias),
      state: addressOf(inputs.state),
      silu: inputs.activation === 'silu',
      y: y.address,
      batch,
      channels,
      width,
      each: 4 * BLOCK,
    }),
  );
  return y;
};

/** Addresses, and numbers of elements. */
export interface ConvStep {
  readonly x: number;
  /** How far apart x's rows are. */
  readonly stride: number;
  readonly weight: number;
  readonly bias: number;
  readonly state: number;
  readonly silu: boolean;
  readonly y: number;
  readonly batch: number;
  readonly channels: number;
  readonly width: number;
  /** Channels of a piece, a multiple of four. */
  readonly each: number;
}

export function convStepJob(step: ConvStep): Job {
  const { x, stride, weight, bias, state, silu, y, batch, channels, width, each } = step;
  return {
    kernel: CONV_STEP,
    pieces: ceilDiv(channels, each),
    ints: [x, weight, bias, state, batch, each, channels, width, Number(silu), stride, y],
    work: batch * channels * (width + 4),
    scratch: LINE,
  };
}
