import {
  isComplex,
  type MaybeComplex,
  type SelectiveScanDims,
  type SelectiveScanInputs,
} from '@mamba-ts/backend';
import { type Floats, floats, ints, optionalFloats } from '../../cpu-tensor.js';
import type { Make } from '../../kernel.js';
import { softplus, softplusSlope } from '../../math.js';
import { type Coefficients, coefficients, start } from './coefficients.js';
import type { Token } from './recurrence.js';

/** The arrays of one call. */
export interface Scan extends Omit<SelectiveScanDims, 'B' | 'C'> {
  readonly u: Floats;
  readonly delta: Floats;
  readonly A: Parts;
  readonly B: Coefficients;
  readonly C: Coefficients;
  readonly D: Floats | undefined;
  readonly z: Floats | undefined;
  readonly deltaBias: Floats | undefined;
  readonly initialState: Parts | undefined;
  readonly seqIdx: Int32Array | undefined;
}

/** One channel of one row of the batch. */
export interface Channel {
  readonly b: number;
  readonly d: number;
  /** Where its numbers start in B and in C. */
  readonly bAt: number;
  readonly cAt: number;
  /** Δ, token by token. */
  readonly steps: Float64Array;
}

/** A real tensor, or the two of a complex one. */
export interface Parts {
  readonly re: Floats;
  readonly im: Floats | undefined;
}

export function readScan(inputs: SelectiveScanInputs, dims: SelectiveScanDims): Scan {
  return {
    ...dims,
    u: floats(inputs.u),
    delta: floats(inputs.delta),
    A: partsOf(inputs.A),
    B: coefficients(inputs.B, dims.B, dims),
    C: coefficients(inputs.C, dims.C, dims),
    D: optionalFloats(inputs.D),
    z: optionalFloats(inputs.z),
    deltaBias: optionalFloats(inputs.deltaBias),
    initialState: inputs.initialState && partsOf(inputs.initialState),
    seqIdx: inputs.seqIdx && ints(inputs.seqIdx),
  };
}

export function partsOf(x: MaybeComplex): Parts {
  return isComplex(x) ? { re: floats(x.re), im: floats(x.im) } : { re: floats(x), im: undefined };
}

/** A channel's Δ go into `steps`, an array of L that channels may share in turn. */
export function readChannel(scan: Scan, b: number, d: number, steps: Float64Array): Channel {
  for (let t = 0; t < scan.length; t++) {
    const raw = rawStep(scan, b, d, t);
    steps[t] = scan.softplus ? softplus(raw) : raw;
  }
  return { b, d, bAt: start(scan.B, b, d), cAt: start(scan.C, b, d), steps };
}

/** Fills `token` with what the forward pass needs of token `t`. */
export function readToken(scan: Scan, { b, d, bAt, cAt, steps }: Channel, t: number, token: Token): void {
  const { u, B, C, length, channels, seqIdx } = scan;
  const row = b * length + t;
  token.channel = d;
  token.u = u[row * channels + d];
  token.step = steps[t];
  token.reset = seqIdx !== undefined && t > 0 && seqIdx[row] !== seqIdx[row - 1];
  token.bAt = bAt + t * B.tokenStride;
  token.cAt = cAt + t * C.tokenStride;
}

/** dΔ / d(delta + deltaBias) */
export function stepSlope(scan: Scan, b: number, d: number, t: number): number {
  return scan.softplus ? softplusSlope(rawStep(scan, b, d, t)) : 1;
}

function rawStep({ delta, deltaBias, length, channels }: Scan, b: number, d: number, t: number): number {
  return delta[(b * length + t) * channels + d] + (deltaBias ? deltaBias[d] : 0);
}

/** A state [B, D, N] of zeros. */
export function makeState(
  make: Make,
  { dtype, batch, channels, stateSize, complex }: SelectiveScanDims,
): MaybeComplex {
  const part = () => make([batch, channels, stateSize], dtype);
  return complex ? { re: part(), im: part() } : part();
}

/** Reads the state of one channel: N real parts, then N imaginary ones if it is complex. Zeros if there is none. */
export function readState(state: Parts | undefined, at: number, size: number, h: Float64Array): void {
  h.fill(0);
  if (!state) return;
  for (let n = 0; n < size; n++) h[n] = state.re[at + n];
  if (state.im) for (let n = 0; n < size; n++) h[size + n] = state.im[at + n];
}

/** The reverse of `readState`. */
export function writeState(h: Float64Array, state: Parts, at: number, size: number): void {
  for (let n = 0; n < size; n++) state.re[at + n] = h[n];
  if (state.im) for (let n = 0; n < size; n++) state.im[at + n] = h[size + n];
}
