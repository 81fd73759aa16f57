import { sizeOf, type Tensor } from '../tensor.js';
import { CallCheck, type FloatDType, sameShape, show } from './call-check.js';

export interface ElementwiseDims {
  readonly dtype: FloatDType;
  readonly shape: readonly number[];
  readonly size: number;
}

/** `add`, `mul`: one shape and type, no broadcasting. Empty tensors are fine. */
export function checkBinary(op: 'add' | 'mul', { a, b }: { a: Tensor; b: Tensor }): ElementwiseDims {
  return checkAlike(op, { a, b });
}

export function checkSilu({ x }: { x: Tensor }): ElementwiseDims {
  return checkAlike('silu', { x });
}

export function checkSiluBackward({ x }: { x: Tensor }, { dy }: { dy: Tensor }): ElementwiseDims {
  return checkAlike('siluBackward', { x, dy });
}

export function checkExp({ x, sign }: { x: Tensor; sign?: 1 | -1 | undefined }): ElementwiseDims {
  if (sign !== undefined && sign !== 1 && sign !== -1) {
    new CallCheck('exp').fail('INVALID_ARGUMENT', `sign must be 1 or -1, got ${sign}`);
  }
  return checkAlike('exp', { x });
}

/** Floating tensors of one type and shape. */
function checkAlike(op: string, tensors: Readonly<Record<string, Tensor>>): ElementwiseDims {
  const call = new CallCheck(op);
  let first: { name: string; shape: readonly number[] } | undefined;
  for (const [name, x] of Object.entries(tensors)) {
    call.floatType(name, x);
    first ??= { name, shape: x.shape };
    if (!sameShape(first.shape, x.shape)) {
      call.fail(
        'SHAPE',
        `${name} has shape ${show(x.shape)}, expected ${show(first.shape)}, the shape of ${first.name}`,
      );
    }
  }
  const { shape } = first!;
  return { dtype: call.dtype, shape, size: sizeOf(shape) };
}
