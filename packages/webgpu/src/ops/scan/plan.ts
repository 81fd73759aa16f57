import type { SelectiveScanDims, SelectiveScanInputs } from '@mamba-ts/backend';
import type { Gpu } from '../../gpu.js';
import type { Constants } from '../../pipelines.js';
import type { Loan } from '../../pool.js';
import type { Chunks } from '../chunks.js';
import { rowsOf } from '../rows.js';
import { type Coefficient, coefficientOf, joined } from './coefficients.js';

/** Channels of a workgroup. */
export const WG = 64;

/** Bits of `Params.flags` in scan.wgsl. */
export const FLAGS = {
  bias: 1,
  softplus: 2,
  seq: 4,
  skip: 8,
  gate: 16,
  last: 32,
  state: 64,
  back: 128,
} as const;

/** What the kernels of one call share: constants, parameters and where things lie in scratch. See kernels/scan.wgsl. */
export interface Plan {
  readonly dims: SelectiveScanDims;
  readonly chunks: Chunks;
  /** Of the kernels that hold states. */
  readonly constants: Constants;
  /** What the call has. */
  readonly flags: number;
  readonly u: Loan;
  readonly delta: Loan;
  readonly A: Loan;
  readonly B: Coefficient;
  readonly C: Coefficient;
  readonly bias: Loan | undefined;
  readonly skip: Loan | undefined;
  readonly seq: Loan | undefined;
  readonly z: { readonly loan: Loan; readonly offset: number; readonly stride: number } | undefined;
  /** Quads of states that a thread holds at once. */
  readonly quads: number;
  readonly blocks: number;
  /** Floats of a state with padding. */
  readonly lanes: number;
  /** Groups of channels such that a workgroup has one group of B and one of C. */
  readonly groups: number;
  /** Workgroups a group. */
  readonly wide: number;
}

export function planOf(
  gpu: Gpu,
  inputs: SelectiveScanInputs,
  dims: SelectiveScanDims,
  chunks: Chunks,
  flat: boolean,
): Plan {
  const { channels, stateSize, complex } = dims;
  // 16 states in registers, or 8 complex ones: the same number of floats.
  const quads = Math.min(complex ? 2 : 4, Math.ceil(stateSize / 4));
  const blocks = Math.ceil(stateSize / (4 * quads));
  const sizes = { length: dims.length, states: stateSize, channels };
  const B = coefficientOf(gpu, inputs.B, dims.B, sizes, flat);
  const C = coefficientOf(gpu, inputs.C, dims.C, sizes, flat);
  const groups = leastCommonMultiple(B.groups, C.groups);
  return {
    dims,
    chunks,
    constants: { COMPLEX: complex, ZOH: dims.discretization === 'zoh', Q: quads },
    flags:
      (inputs.deltaBias ? FLAGS.bias : 0) |
      (dims.softplus ? FLAGS.softplus : 0) |
      (inputs.seqIdx ? FLAGS.seq : 0) |
      (inputs.D ? FLAGS.skip : 0),
    u: gpu.flat(inputs.u),
    delta: gpu.flat(inputs.delta),
    A: joined(gpu, inputs.A),
    B,
    C,
    bias: gpu.flat(inputs.deltaBias),
    skip: gpu.flat(inputs.D),
    seq: gpu.flat(inputs.seqIdx),
    z: inputs.z && rowsOf(gpu, inputs.z),
    quads,
    blocks,
    lanes: blocks * 4 * quads * (complex ? 2 : 1),
    groups,
    wide: Math.ceil(channels / groups / WG),
  };
}

/** Offsets into scratch, in floats. */
export interface Regions {
  readonly states: number;
  readonly reverse: number;
  readonly sums: number;
  readonly packed: number;
  readonly last: number;
  readonly shared: number;
  readonly own: number;
  readonly held: number;
}

export const NO_REGIONS: Regions = {
  states: 0,
  reverse: 0,
  sums: 0,
  packed: 0,
  last: 0,
  shared: 0,
  own: 0,
  held: 0,
};

/** Some batch rows of a call, with the scratch that holds what their chunks leave. */
export interface Slice {
  readonly first: number;
  readonly rows: number;
  readonly scratch: Loan;
  readonly regions: Regions;
}

/** The fields of `Params` in scan.wgsl. */
export function paramsOf(plan: Plan, { first, rows, regions }: Slice, flags = 0): number[] {
  const { dims, chunks, groups, wide, B, C, z } = plan;
  const coefficient = (x: Coefficient) => [x.offset, x.batch, x.token, x.group, x.groups, x.imaginary];
  return [
    plan.flags | flags,
    first,
    rows,
    dims.length,
    dims.channels,
    dims.stateSize,
    chunks.length,
    chunks.count,
    plan.blocks,
    4 * plan.quads,
    groups,
    wide,
    ...coefficient(B),
    ...coefficient(C),
    z?.offset ?? 0,
    z?.stride ?? 0,
    regions.states,
    regions.reverse,
    regions.sums,
    regions.packed,
    regions.last,
    regions.shared,
    regions.own,
    regions.held,
  ];
}

/** Pieces of a buffer, one behind the other, each at a multiple of 64 floats. */
export class Carve {
  size = 0;

  take(floats: number): number {
    const at = this.size;
    this.size += 64 * Math.ceil(floats / 64);
    return at;
  }
}

/** Packed A, bias and D of a call. */
export function packedSize({ lanes, dims: { channels } }: Plan): number {
  return (lanes + 2) * channels;
}

function leastCommonMultiple(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y > 0) [x, y] = [y, x % y];
  return (a / x) * b;
}
