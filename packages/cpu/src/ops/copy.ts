import { type CpuTensor, copyValues } from '../cpu-tensor.js';
import type { Kernel } from '../kernel.js';

export const copy: Kernel<'copy'> = (make, { x }) => {
  const y = make(x.shape, x.dtype);
  copyValues(x as CpuTensor, y);
  return y;
};
