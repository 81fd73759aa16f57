import type { LinearRecurrenceInputs } from '../ops.js';
import type { Tensor } from '../tensor.js';
import { CallCheck, type FloatDType } from './call-check.js';

export interface LinearRecurrenceDims {
  readonly dtype: FloatDType;
  readonly batch: number;
  readonly length: number;
  readonly channels: number;
}

export function checkLinearRecurrence(inputs: LinearRecurrenceInputs): LinearRecurrenceDims {
  return check(new CallCheck('linearRecurrence'), inputs);
}

/** The same, and `dh` [B, L, D], `dLastState` [B, D]. */
export function checkLinearRecurrenceBackward(
  inputs: LinearRecurrenceInputs,
  { dh, dLastState }: { dh: Tensor; dLastState?: Tensor | undefined },
): LinearRecurrenceDims {
  const call = new CallCheck('linearRecurrenceBackward');
  const dims = check(call, inputs);
  call.float('dh', dh, ['B', 'L', 'D']);
  call.optionalFloat('dLastState', dLastState, ['B', 'D']);
  return dims;
}

function check(
  call: CallCheck,
  { a, b, initialState, algorithm }: LinearRecurrenceInputs,
): LinearRecurrenceDims {
  call.float('a', a, ['B', 'L', 'D']);
  call.float('b', b, ['B', 'L', 'D']);
  call.optionalFloat('initialState', initialState, ['B', 'D']);
  if (![undefined, 'sequential', 'associative'].includes(algorithm)) {
    call.fail('INVALID_ARGUMENT', `algorithm must be 'sequential' or 'associative', got '${algorithm}'`);
  }
  return { dtype: call.dtype, batch: call.size('B'), length: call.size('L'), channels: call.size('D') };
}
