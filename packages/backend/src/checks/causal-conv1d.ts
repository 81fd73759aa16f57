import type { CausalConv1dInputs, CausalConv1dStepInputs } from '../ops.js';
import type { Tensor } from '../tensor.js';
import { CallCheck, type FloatDType } from './call-check.js';

export interface CausalConv1dDims {
  readonly dtype: FloatDType;
  readonly batch: number;
  readonly length: number;
  readonly channels: number;
  /** W >= 1; the state holds W - 1 inputs, none if W = 1. */
  readonly width: number;
}

export function checkCausalConv1d(inputs: CausalConv1dInputs): CausalConv1dDims {
  return checkConv(new CallCheck('causalConv1d'), inputs);
}

/** The same, and `dy` [B, L, D], `dLastState` [B, W-1, D]. */
export function checkCausalConv1dBackward(
  inputs: CausalConv1dInputs,
  { dy, dLastState }: { dy: Tensor; dLastState?: Tensor | undefined },
): CausalConv1dDims {
  const call = new CallCheck('causalConv1dBackward');
  const dims = checkConv(call, inputs);
  call.float('dy', dy, ['B', 'L', 'D']);
  call.optionalFloat('dLastState', dLastState, ['B', dims.width - 1, 'D']);
  return dims;
}

/** One token: `length` is 1. */
export function checkCausalConv1dStep(inputs: CausalConv1dStepInputs): CausalConv1dDims {
  const call = new CallCheck('causalConv1dStep');
  call.float('x', inputs.x, ['B', 'D']);
  checkWeights(call, inputs);
  call.float('state', inputs.state, ['B', call.size('W') - 1, 'D']);
  return dimsOf(call, 1);
}

function checkConv(call: CallCheck, inputs: CausalConv1dInputs): CausalConv1dDims {
  const { x, initialState, seqIdx } = inputs;
  call.float('x', x, ['B', 'L', 'D']);
  checkWeights(call, inputs);
  call.optionalFloat('initialState', initialState, ['B', call.size('W') - 1, 'D']);
  if (seqIdx !== undefined) call.int32('seqIdx', seqIdx, ['B', 'L']);
  return dimsOf(call, call.size('L'));
}

function checkWeights(
  call: CallCheck,
  { weight, bias, activation }: Pick<CausalConv1dInputs, 'weight' | 'bias' | 'activation'>,
): void {
  call.float('weight', weight, ['D', 'W']);
  call.optionalFloat('bias', bias, ['D']);
  if (activation !== undefined && activation !== 'silu') {
    call.fail('INVALID_ARGUMENT', `activation must be 'silu' or undefined, got '${activation}'`);
  }
}

function dimsOf(call: CallCheck, length: number): CausalConv1dDims {
  return {
    dtype: call.dtype,
    batch: call.size('B'),
    length,
    channels: call.size('D'),
    width: call.size('W'),
  };
}
