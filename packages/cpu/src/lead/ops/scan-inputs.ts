import { isComplex, type MaybeComplex, type SelectiveScanInputs } from '@mamba-ts/backend';
import { type Cpu, floats, ints, optionalFloats } from '../cpu.js';
import type { Floats } from '../tensor.js';

/** Real and imaginary part; `im` is absent where the numbers are real. */
export interface Parts {
  readonly re: Floats;
  readonly im: Floats | undefined;
}

/**
 * Where B or C of a token and channel begins: N numbers of `re` at `index`, of `im` at `index + imShift`. One description
 * for the variable, grouped and constant forms, and for the packing of complex rows in turn.
 */
export interface Coefficient extends Parts {
  readonly imShift: number;
  index(b: number, t: number, d: number): number;
}

/** The arguments of a scan as plain arrays. A step is a scan of length 1. */
export interface ScanInputs {
  readonly batch: number;
  readonly length: number;
  readonly channels: number;
  readonly states: number;
  readonly complex: boolean;
  readonly zoh: boolean;
  readonly softplus: boolean;
  readonly u: Floats;
  readonly delta: Floats;
  readonly A: Parts;
  readonly B: Coefficient;
  readonly C: Coefficient;
  readonly D: Floats | undefined;
  readonly z: Floats | undefined;
  readonly deltaBias: Floats | undefined;
  readonly initialState: Parts | undefined;
  /** Whether a token begins a new sequence. */
  resets(b: number, t: number): boolean;
}

export function partsOf(cpu: Cpu, x: MaybeComplex): Parts {
  return isComplex(x)
    ? { re: floats(cpu, x.re), im: floats(cpu, x.im) }
    : { re: floats(cpu, x), im: undefined };
}

export function scanInputs(cpu: Cpu, inputs: SelectiveScanInputs, step = false): ScanInputs {
  const { u, A, D, z, deltaBias, softplus = false, initialState, seqIdx, discretization } = inputs;
  const [batch, length, channels] = step ? [u.shape[0], 1, u.shape[1]] : u.shape;
  const complex = isComplex(A);
  const states = (complex ? A.re : A).shape[1];
  const sequence = seqIdx === undefined ? undefined : ints(cpu, seqIdx);
  const size = { batch, length, channels, states, complex };
  return {
    ...size,
    zoh: discretization === 'zoh',
    softplus,
    u: floats(cpu, u),
    delta: floats(cpu, inputs.delta),
    A: partsOf(cpu, A),
    B: coefficient(cpu, inputs.B, size, step),
    C: coefficient(cpu, inputs.C, size, step),
    D: optionalFloats(cpu, D),
    z: optionalFloats(cpu, z),
    deltaBias: optionalFloats(cpu, deltaBias),
    initialState: initialState === undefined ? undefined : partsOf(cpu, initialState),
    resets: (b, t) =>
      t > 0 && sequence !== undefined && sequence[b * length + t] !== sequence[b * length + t - 1],
  };
}

function coefficient(
  cpu: Cpu,
  x: MaybeComplex,
  size: Pick<ScanInputs, 'batch' | 'length' | 'channels' | 'states' | 'complex'>,
  step: boolean,
): Coefficient {
  const { batch, length, channels, states } = size;
  const { re, im } = partsOf(cpu, x);
  const { shape } = isComplex(x) ? x.re : x;
  const constant = shape.length === 2 && (!step || (shape[0] !== batch && shape[0] === channels));
  if (constant) return { re, im, imShift: 0, index: (_b, _t, d) => d * states };
  const interleaved = size.complex && im === undefined && isInterleaved(shape, length, step);
  const grouped = shape.length === (step && !interleaved ? 3 : 4);
  const groups = grouped ? shape.at(-2)! : 1;
  const row = groups * states;
  const perGroup = channels / groups;
  const stride = interleaved ? 2 * row : row;
  return {
    re,
    im: interleaved ? re : im,
    imShift: interleaved ? row : 0,
    index: (b, t, d) => (b * length + t) * stride + Math.floor(d / perGroup) * states,
  };
}

/** [B, 2L, N] or [B, 2L, G, N]; a step: [B, 2, N] of rank 3, where a grouped real one would have G = 2 groups. */
function isInterleaved(shape: readonly number[], length: number, step: boolean): boolean {
  return step ? shape.length === 4 || (shape.length === 3 && shape[1] === 2) : shape[1] === 2 * length;
}

/** log(1 + e^x); above 20 it is x, as in the official code. */
export function softplusOf(x: number): number {
  return x > 20 ? x : Math.log1p(Math.exp(x));
}
