import { type CoefficientForm, isComplex, type MaybeComplex, type Tensor } from '@mamba-ts/backend';
import type { Gpu } from '../../gpu.js';
import type { Loan } from '../../pool.js';

/** B or C in a buffer: element (b, t, group, n) lies at offset + b batch + t token + group group + n. */
export interface Coefficient {
  readonly loan: Loan;
  /** One a channel [D, N] instead of one a token. */
  readonly constant: boolean;
  readonly groups: number;
  readonly offset: number;
  readonly batch: number;
  readonly token: number;
  readonly group: number;
  /** From the real to the imaginary part. */
  readonly imaginary: number;
}

/** Kernels read this distance as: there is no imaginary part. */
export const NO_IMAGINARY = 0xffffffff;

/** A complex tensor in one buffer, the imaginary part behind the real one; a real one as it is. */
export function joined(gpu: Gpu, x: MaybeComplex): Loan {
  if (!isComplex(x)) return gpu.flat(x);
  const size = sizeOfShape(x.re);
  const both = gpu.make([2, size]).loan;
  [x.re, x.im].forEach((part, i) => {
    gpu.move(gpu.flat(part), both, { rows: 1, columns: size, from: [0, size], to: [i * size, size] });
  });
  return both;
}

const sizeOfShape = ({ shape }: Tensor) => shape.reduce((product, n) => product * n, 1);

/** Where the elements of B or C lie. `flat`: not as a view, so that a gradient can have the same strides. */
export function coefficientOf(
  gpu: Gpu,
  x: MaybeComplex,
  form: CoefficientForm,
  { length, states, channels }: { length: number; states: number; channels: number },
  flat = false,
): Coefficient {
  const { kind, groups, packing } = form;
  const constant = kind === 'constant';
  const interleaved = packing === 'interleaved';
  const row = kind === 'grouped' ? groups * states : states;
  const token = constant ? 0 : interleaved ? 2 * row : row;
  const strides = {
    constant,
    groups: constant ? 1 : groups,
    batch: length * token,
    token,
    group: kind === 'grouped' ? states : 0,
  };
  if (isComplex(x)) {
    const size = constant ? channels * states : sizeOfShape(x.re);
    return { ...strides, loan: joined(gpu, x), offset: 0, imaginary: size };
  }
  const imaginary = interleaved ? row : NO_IMAGINARY;
  const own = gpu.get(x);
  if (!flat && kind === 'variable' && !interleaved) {
    // Usually a piece of what one projection gave: rows of N in longer rows.
    const { loan, offset, stride } = own;
    return { ...strides, loan, offset, token: stride, batch: length * stride, imaginary };
  }
  return { ...strides, loan: gpu.flat(x), offset: 0, imaginary };
}
