import { isComplex, type MaybeComplex, type Tensor } from '@mamba-ts/backend';
import { accumulator, store } from '../../accumulate.js';
import type { Make } from '../../kernel.js';
import type { GradientParts } from './recurrence.js';

/** A gradient in the form of its input, `{ re, im }` or one tensor, with the sums that become it. */
export interface Gradient extends GradientParts {
  readonly tensor: MaybeComplex;
}

/** Zeros. `interleaved`: real and imaginary parts in turn in one tensor. */
export function gradientOf(make: Make, x: MaybeComplex, interleaved: boolean): Gradient {
  const like = (part: Tensor) => make(part.shape, part.dtype);
  if (isComplex(x)) {
    const tensor = { re: like(x.re), im: like(x.im) };
    return { tensor, re: accumulator(tensor.re), im: accumulator(tensor.im) };
  }
  const tensor = like(x);
  const sums = accumulator(tensor);
  return { tensor, re: sums, im: interleaved ? sums : undefined };
}

export function storeGradient({ tensor, re, im }: Gradient): void {
  if (isComplex(tensor)) {
    store(re, tensor.re);
    store(im!, tensor.im);
  } else {
    store(re, tensor);
  }
}
