import type { S4dKernelInputs } from '../ops.js';
import { type ComplexTensor, isComplex, type Tensor } from '../tensor.js';
import { CallCheck, type FloatDType } from './call-check.js';

export interface S4dKernelDims {
  readonly dtype: FloatDType;
  readonly channels: number;
  readonly stateSize: number;
  readonly length: number;
}

export function checkS4dKernel(inputs: S4dKernelInputs): S4dKernelDims {
  return check(new CallCheck('s4dKernel'), inputs);
}

/** The same, and `dkernel` [D, length]. */
export function checkS4dKernelBackward(
  inputs: S4dKernelInputs,
  { dkernel }: { dkernel: Tensor },
): S4dKernelDims {
  const call = new CallCheck('s4dKernelBackward');
  const dims = check(call, inputs);
  call.float('dkernel', dkernel, ['D', dims.length]);
  return dims;
}

function check(call: CallCheck, { dt, A, C, length }: S4dKernelInputs): S4dKernelDims {
  call.float('dt', dt, ['D']);
  checkPair(call, 'A', A);
  checkPair(call, 'C', C);
  call.number('length', length, Number.isSafeInteger(length) && length >= 1, 'a whole number, at least 1');
  return { dtype: call.dtype, channels: call.size('D'), stateSize: call.size('N'), length };
}

function checkPair(call: CallCheck, name: string, x: ComplexTensor): void {
  call.present(name, x);
  if (!isComplex(x)) call.fail('DTYPE', `${name} must be complex, { re, im }`);
  call.complexFloat(name, x, ['D', 'N']);
}
