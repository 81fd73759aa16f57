import type { CrossEntropyInputs } from '../ops.js';
import type { Tensor } from '../tensor.js';
import { CallCheck, type FloatDType } from './call-check.js';

export interface CrossEntropyDims {
  readonly dtype: FloatDType;
  /** Product of the leading axes: one target each. */
  readonly rows: number;
  readonly vocab: number;
  readonly ignoreIndex: number;
}

export function checkCrossEntropy(inputs: CrossEntropyInputs): CrossEntropyDims {
  return check(new CallCheck('crossEntropy'), inputs);
}

/** The same, and `dloss` []. */
export function checkCrossEntropyBackward(
  inputs: CrossEntropyInputs,
  { dloss }: { dloss: Tensor },
): CrossEntropyDims {
  const call = new CallCheck('crossEntropyBackward');
  const dims = check(call, inputs);
  call.float('dloss', dloss, []);
  return dims;
}

function check(
  call: CallCheck,
  { logits, targets, ignoreIndex = -100 }: CrossEntropyInputs,
): CrossEntropyDims {
  call.float('logits', logits, ['...', 'V']);
  call.int32('targets', targets, ['...']);
  call.number('ignoreIndex', ignoreIndex, Number.isSafeInteger(ignoreIndex), 'a whole number');
  return { dtype: call.dtype, rows: call.rows, vocab: call.size('V'), ignoreIndex };
}
