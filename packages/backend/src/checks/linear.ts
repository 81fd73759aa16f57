import type { LinearInputs } from '../ops.js';
import type { Tensor } from '../tensor.js';
import { CallCheck, type FloatDType } from './call-check.js';

export interface LinearDims {
  readonly dtype: FloatDType;
  /** Product of the leading axes of x. */
  readonly rows: number;
  /** Last axis of x. */
  readonly inputs: number;
  /** Last axis of y. */
  readonly outputs: number;
  /** Of y: [..., out] */
  readonly shape: readonly number[];
}

export function checkLinear(inputs: LinearInputs): LinearDims {
  return check(new CallCheck('linear'), inputs);
}

/** The same, and `dy` [..., out]. */
export function checkLinearBackward(inputs: LinearInputs, { dy }: { dy: Tensor }): LinearDims {
  const call = new CallCheck('linearBackward');
  const dims = check(call, inputs);
  call.float('dy', dy, ['...', 'out']);
  return dims;
}

function check(call: CallCheck, { x, weight, bias }: LinearInputs): LinearDims {
  call.float('x', x, ['...', 'in']);
  call.weight('weight', weight, ['out', 'in']);
  call.optionalFloat('bias', bias, ['out']);
  return {
    dtype: call.dtype,
    rows: call.rows,
    inputs: call.size('in'),
    outputs: call.size('out'),
    shape: [...call.leading, call.size('out')],
  };
}
