import { MambaError } from '../errors.js';
import { type DType, sizeOf, type Tensor, type TensorSource } from '../tensor.js';
import { isStorageType, show } from './call-check.js';

/**
 * The arguments of `Backend.tensor`: whole sizes, as many numbers as the shape holds, whole numbers for i32, and a last
 * axis for int8 (its blocks lie along it). Throws `SHAPE`, `DTYPE` or `INVALID_ARGUMENT`. `offered`: the types that the backend has.
 */
export function checkUpload(
  data: TensorSource,
  shape: readonly number[],
  dtype: DType,
  offered: readonly DType[],
): void {
  checkStorage('tensor', shape, dtype, offered);
  if (data.length !== sizeOf(shape)) {
    throw new MambaError(
      'SHAPE',
      `tensor: ${data.length} values given, expected ${sizeOf(shape)} for shape ${show(shape)}`,
    );
  }
  if (dtype === 'i32' && !(data instanceof Int32Array)) {
    const bad = data.find((value) => (value | 0) !== value);
    if (bad !== undefined) {
      throw new MambaError(
        'INVALID_ARGUMENT',
        `tensor: ${bad} given for an i32 tensor, which holds 32-bit whole numbers`,
      );
    }
  }
}

/** The arguments of `Backend.zeros`, likewise. */
export function checkZeros(shape: readonly number[], dtype: DType, offered: readonly DType[]): void {
  checkStorage('zeros', shape, dtype, offered);
}

function checkStorage(what: string, shape: readonly number[], dtype: DType, offered: readonly DType[]): void {
  if (
    !shape.every((size) => Number.isSafeInteger(size) && size >= 0) ||
    !Number.isSafeInteger(sizeOf(shape))
  ) {
    throw new MambaError('SHAPE', `${what}: shape ${show(shape)} is not one of whole sizes, at least 0`);
  }
  if (!offered.includes(dtype)) {
    throw new MambaError('DTYPE', `${what}: this backend has no type ${dtype}, it has ${offered.join(', ')}`);
  }
  if (dtype === 'int8' && shape.length === 0) {
    throw new MambaError('SHAPE', `${what}: int8 is quantised along the last axis, and shape [] has none`);
  }
}

/**
 * What `Backend.write` from a tensor needs: two of one type, which is no type that only stores weights, and of equally many elements.
 * @throws MambaError `DTYPE`, `SHAPE`
 */
export function checkWrite(target: Tensor, source: Tensor): void {
  const same = source.dtype === target.dtype && !isStorageType(target.dtype);
  if (!same || sizeOf(source.shape) !== sizeOf(target.shape)) {
    throw new MambaError(
      same ? 'SHAPE' : 'DTYPE',
      `write: a ${source.dtype} tensor [${source.shape.join(', ')}] does not fit a ${target.dtype} tensor [${target.shape.join(', ')}]`,
    );
  }
}
