import type { EmbeddingInputs } from '../ops.js';
import type { Tensor } from '../tensor.js';
import { CallCheck, type FloatDType } from './call-check.js';

export interface EmbeddingDims {
  /** Of y: f64 for an f64 weight, else f32. */
  readonly dtype: FloatDType;
  /** Number of ids. */
  readonly rows: number;
  readonly vocab: number;
  readonly channels: number;
  /** Of y: [..., D] */
  readonly shape: readonly number[];
}

export function checkEmbedding(inputs: EmbeddingInputs): EmbeddingDims {
  return check(new CallCheck('embedding'), inputs);
}

/** The same, and `dy` [..., D] of the type that `embedding` returns. */
export function checkEmbeddingBackward(inputs: EmbeddingInputs, { dy }: { dy: Tensor }): EmbeddingDims {
  const call = new CallCheck('embeddingBackward');
  const dims = check(call, inputs);
  call.float('dy', dy, ['...', 'D']);
  if (dy.dtype !== dims.dtype) {
    call.fail(
      'DTYPE',
      `dy is ${dy.dtype}, expected ${dims.dtype} with a weight of type ${inputs.weight.dtype}`,
    );
  }
  return dims;
}

function check(call: CallCheck, { ids, weight }: EmbeddingInputs): EmbeddingDims {
  call.int32('ids', ids, ['...']);
  call.weight('weight', weight, ['V', 'D']);
  return {
    dtype: weight.dtype === 'f64' ? 'f64' : 'f32',
    rows: call.rows,
    vocab: call.size('V'),
    channels: call.size('D'),
    shape: [...call.leading, call.size('D')],
  };
}

/** An id outside [0, vocab), for backends that see the ids: `SHAPE`. */
export function checkId(op: string, name: string, id: number, vocab: number): void {
  if (id < 0 || id >= vocab) {
    new CallCheck(op).fail('SHAPE', `${name} contain ${id}, expected ids from 0 to ${vocab - 1}`);
  }
}
