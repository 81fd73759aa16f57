import type { Random } from '@mamba-ts/ssm';
import { type Host, hostInts, normal, uniform } from './host.js';

export interface ScanShape {
  batch: number;
  length: number;
  channels: number;
  stateSize: number;
  groups: number;
}

export type Kind = 'variable' | 'grouped' | 'constant';
export type Packing = 'pair' | 'interleaved' | 'real';

export interface ScanForm {
  complex: boolean;
  discretization: 'mamba' | 'zoh';
  B: Kind;
  C: Kind;
  packingB?: Packing;
  packingC?: Packing;
  /** D, z, deltaBias, softplus, initialState, seqIdx: each by chance unless said. */
  options?: 'all' | 'none';
}

/** Arguments of `selectiveScan` of one form, ready for upload. */
export function randomScan(random: Random, shape: ScanShape, form: ScanForm): Record<string, unknown> {
  const { batch, length, channels, stateSize } = shape;
  const { complex, discretization } = form;
  const sequence = [batch, length, channels];
  const state = [batch, channels, stateSize];
  const pair = (of: number[]) =>
    complex ? { re: normal(random, of), im: normal(random, of) } : normal(random, of);
  const re = uniform(random, [channels, stateSize], -2, -0.1);
  const wanted = () => form.options === 'all' || (form.options !== 'none' && random.next() < 0.5);
  const softplus = wanted();
  return {
    u: normal(random, sequence),
    delta: softplus ? normal(random, sequence, 2) : uniform(random, sequence, 0.05, 1.5),
    A: complex ? { re, im: normal(random, [channels, stateSize], 2) } : re,
    B: coefficients(random, shape, complex, form.B, form.packingB),
    C: coefficients(random, shape, complex, form.C, form.packingC),
    softplus,
    discretization,
    ...(wanted() && { D: normal(random, [channels]) }),
    ...(wanted() && { z: normal(random, sequence) }),
    ...(wanted() && { deltaBias: normal(random, [channels], 0.3) }),
    ...(wanted() && { initialState: pair(state) }),
    ...(wanted() && { seqIdx: randomSequences(random, batch, length) }),
  };
}

/** Indices that stay for a few tokens and then change. */
export function randomSequences(random: Random, batch: number, length: number): Host {
  const data: number[] = [];
  for (let b = 0; b < batch; b++) {
    let index = 7;
    for (let t = 0; t < length; t++) {
      if (t > 0 && random.next() < 0.4) index++;
      data.push(index);
    }
  }
  return hostInts([batch, length], data);
}

function coefficients(
  random: Random,
  { batch, length, channels, stateSize, groups }: ScanShape,
  complex: boolean,
  kind: Kind,
  packing: Packing = 'pair',
) {
  const rows = complex && packing === 'interleaved' ? 2 * length : length;
  const of = {
    variable: [batch, rows, stateSize],
    grouped: [batch, rows, groups, stateSize],
    constant: [channels, stateSize],
  }[kind];
  if (complex && packing === 'pair') return { re: normal(random, of), im: normal(random, of) };
  return normal(random, of);
}
