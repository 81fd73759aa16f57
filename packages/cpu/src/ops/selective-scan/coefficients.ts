import {
  type CoefficientForm,
  isComplex,
  type MaybeComplex,
  type SelectiveScanDims,
} from '@mamba-ts/backend';
import { type Floats, floats } from '../../cpu-tensor.js';

/**
 * Where B or C lie, whatever their form: the real parts of the N numbers that channel d uses at token t start at
 * `start(b, d) + t * tokenStride` of `re`, the imaginary ones `imOffset` further on in `im`.
 */
export interface Coefficients extends CoefficientLayout {
  readonly re: Floats;
  /** Absent if all are zero. */
  readonly im: Floats | undefined;
}

export interface CoefficientLayout {
  readonly batchStride: number;
  readonly tokenStride: number;
  readonly groupStride: number;
  readonly channelsPerGroup: number;
  readonly imOffset: number;
}

export function coefficients(x: MaybeComplex, form: CoefficientForm, dims: SelectiveScanDims): Coefficients {
  const layout = layoutOf(form, dims);
  if (isComplex(x)) return { ...layout, re: floats(x.re), im: floats(x.im) };
  const re = floats(x);
  return { ...layout, re, im: form.packing === 'interleaved' ? re : undefined };
}

/** First number of channel d in batch row b. */
export function start(
  { batchStride, groupStride, channelsPerGroup }: CoefficientLayout,
  b: number,
  d: number,
): number {
  return b * batchStride + Math.floor(d / channelsPerGroup) * groupStride;
}

function layoutOf(
  { kind, groups, packing }: CoefficientForm,
  { length, channels, stateSize }: SelectiveScanDims,
): CoefficientLayout {
  const channelsPerGroup = channels / groups;
  const groupStride = stateSize;
  if (kind === 'constant') {
    return { batchStride: 0, tokenStride: 0, groupStride, channelsPerGroup, imOffset: 0 };
  }
  const row = groups * stateSize;
  const tokenStride = packing === 'interleaved' ? 2 * row : row;
  return {
    batchStride: length * tokenStride,
    tokenStride,
    groupStride,
    channelsPerGroup,
    imOffset: packing === 'interleaved' ? row : 0,
  };
}
