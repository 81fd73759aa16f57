import type { DType, Tensor } from '../src/index.js';

/** A tensor without values: what shape checks look at. */
export function fake(
  shape: readonly number[],
  dtype: DType = 'f32',
  onDispose?: (tensor: Tensor) => void,
): Tensor {
  let disposed = false;
  const tensor: Tensor = {
    shape,
    dtype,
    get disposed() {
      return disposed;
    },
    data: async () => new Float32Array(0),
    dispose() {
      disposed = true;
      onDispose?.(tensor);
    },
  };
  return tensor;
}

export function fakePair(shape: readonly number[], dtype: DType = 'f32') {
  return { re: fake(shape, dtype), im: fake(shape, dtype) };
}
