import type { DType } from '@mamba-ts/backend';
import type { KernelName } from '../pipelines.js';

/** The kernel file that reads weights of this type; f32 rows that do not start at 16 bytes have one of their own. */
export function weightSnippet(dtype: DType, pitch: number): KernelName {
  switch (dtype) {
    case 'f16':
      return 'weights-f16';
    case 'bf16':
      return 'weights-bf16';
    case 'int8':
      return 'weights-int8';
    default:
      return pitch % 4 === 0 ? 'weights-f32' : 'weights-f32-odd';
  }
}
