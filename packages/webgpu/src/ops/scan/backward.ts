import {
  type CoefficientForm,
  checkSelectiveScanBackward,
  type MaybeComplex,
  type SelectiveScanGradients,
  type SelectiveScanInputs,
  type Tensor,
} from '@mamba-ts/backend';
import { fold, type Gpu } from '../../gpu.js';
import type { Loan } from '../../pool.js';
import { columnSum } from '../reductions.js';
import { carry, chunk, emit } from './forward.js';
import {
  Carve,
  NO_REGIONS,
  type Plan,
  packedSize,
  paramsOf,
  planOf,
  type Regions,
  type Slice,
  WG,
} from './plan.js';

/** Tokens a chunk: what the kernel can hold states of. */
const CHUNK = 64;

/**
 * Gradients of the selective scan: states are computed again, chunk by chunk from the boundaries, and never stored for every
 * token. The number of dispatches does not depend on the length. See kernels/scan-backward.wgsl.
 */
export function selectiveScanBackward(
  gpu: Gpu,
  inputs: SelectiveScanInputs,
  grads: { dy: Tensor; dLastState?: MaybeComplex | undefined },
): SelectiveScanGradients {
  const dims = checkSelectiveScanBackward(inputs, grads);
  const { batch, length, channels, stateSize, complex } = dims;
  const chunks = { length: CHUNK, count: Math.ceil(length / CHUNK) };
  const plan = planOf(gpu, inputs, dims, chunks, true);
  const sequence = [batch, length, channels];
  const state = [batch, channels, stateSize];
  const make = (shape: readonly number[]) => gpu.make(shape);
  const makeComplex = (shape: readonly number[]) =>
    complex ? { re: make(shape), im: make(shape) } : make(shape);

  const du = make(sequence);
  // The kernel turns the gradient of y into that of delta where it lies.
  const ddelta = make(sequence);
  const dInitialState = makeComplex(state);
  const dz = inputs.z && make(sequence);
  const variable = {
    B: plan.B.constant ? undefined : gradientOf(gpu, inputs.B, dims.B),
    C: plan.C.constant ? undefined : gradientOf(gpu, inputs.C, dims.C),
  };
  const items = itemsOf(plan);
  const own = make([batch * chunks.count, items.count * channels]);

  const most = rowsAtOnce(gpu, plan, items);
  for (let first = 0; first < batch; first += most) {
    const rows = Math.min(most, batch - first);
    const { regions, size } = carveScratch(plan, items, rows);
    const scratch = gpu.make([size]);
    const slice = { first, rows, scratch: scratch.loan, regions };
    chunk(gpu, plan, slice, plan.u, false);
    // The last state is of no use here; it goes where the gradient of the initial state will.
    carry(gpu, plan, slice, inputs.initialState, dInitialState, false);
    if (inputs.z && dz) gateGradient(gpu, plan, slice, inputs.z, grads.dy, dz.loan, ddelta.loan);
    else {
      const count = rows * length * channels;
      const at = [first * length * channels, count] as const;
      gpu.move(gpu.flat(grads.dy), ddelta.loan, { rows: 1, columns: count, from: at, to: at });
    }
    chunk(gpu, plan, slice, ddelta.loan, true);
    carry(gpu, plan, slice, grads.dLastState, dInitialState, true);
    gpu.engine.run('scan-backward', {
      constants: {
        ...plan.constants,
        TILE: 8,
        B_CONSTANT: plan.B.constant,
        C_CONSTANT: plan.C.constant,
      },
      bind: [plan.u, plan.delta, plan.B.loan, plan.C.loan, ddelta.loan, scratch.loan, plan.seq, du.loan],
      params: paramsOf(plan, slice),
      groups: [plan.groups * plan.wide, chunks.count, rows],
    });
    for (const name of ['B', 'C'] as const) {
      const gradient = variable[name];
      if (gradient) sumCoefficient(gpu, plan, items, slice, name, gradient);
    }
    const perRow = chunks.count * items.count * channels;
    gpu.move(scratch.loan, own.loan, {
      rows,
      columns: perRow,
      from: [regions.own, perRow],
      to: [first * perRow, perRow],
    });
    scratch.dispose();
  }

  const sums = columnSum(gpu, own.loan, batch * chunks.count, items.count * channels);
  const unpack = (from: number): MaybeComplex => unpackParameter(gpu, plan, items, sums, from);
  const vector = (item: number) => {
    const out = make([channels]);
    const from = [item * channels, channels] as const;
    gpu.move(sums, out.loan, { rows: 1, columns: channels, from, to: [0, channels] });
    return out;
  };
  return {
    du,
    ddelta,
    dA: unpack(0),
    dB: variable.B?.tensor ?? asGiven(inputs.B, unpack(items.B)),
    dC: variable.C?.tensor ?? asGiven(inputs.C, unpack(items.C)),
    ...(inputs.D ? { dD: vector(items.count - 2) } : {}),
    ...(dz ? { dz } : {}),
    ...(inputs.deltaBias ? { dDeltaBias: vector(items.count - 1) } : {}),
    ...(inputs.initialState ? { dInitialState } : {}),
  };
}

/** What a thread of scan-backward keeps of a chunk, in rows of [channels]: dA, constant dB and dC of each block, dD, dDeltaBias. */
interface Items {
  readonly count: number;
  /** Of a block. */
  readonly lanes: number;
  /** First lanes of the constant coefficients in a block. */
  readonly B: number;
  readonly C: number;
  /** Quads that a workgroup leaves a token: variable dB, dC. */
  readonly shared: number;
  /** First of dC. */
  readonly sharedC: number;
}

function itemsOf({ blocks, lanes, B, C }: Plan): Items {
  const each = lanes / blocks;
  const C0 = each + (B.constant ? each : 0);
  const perBlock = C0 + (C.constant ? each : 0);
  const sharedC = B.constant ? 0 : each / 4;
  return {
    count: blocks * perBlock + 2,
    lanes: perBlock,
    B: each,
    C: C0,
    shared: sharedC + (C.constant ? 0 : each / 4),
    sharedC,
  };
}

function carveScratch(plan: Plan, items: Items, rows: number): { regions: Regions; size: number } {
  const { chunks, lanes, blocks, groups, wide } = plan;
  const { channels, length } = plan.dims;
  const carve = new Carve();
  const perChunk = rows * chunks.count * channels;
  const regions = {
    ...NO_REGIONS,
    packed: carve.take(packedSize(plan)),
    states: carve.take(perChunk * lanes),
    reverse: carve.take(perChunk * lanes),
    sums: carve.take(perChunk),
    shared: carve.take(rows * length * groups * wide * blocks * items.shared * 4),
    own: carve.take(perChunk * items.count),
    held: carve.take(blocks > 1 ? rows * length * channels : 0),
  };
  return { regions, size: carve.size };
}

/** Batch rows whose scratch fits into one binding: at least one. */
function rowsAtOnce(gpu: Gpu, plan: Plan, items: Items): number {
  const bytes = 4 * carveScratch(plan, items, 1).size;
  return Math.min(plan.dims.batch, Math.max(1, Math.floor(gpu.engine.pool.maxBytes / bytes)));
}

/** Gradients of the gate and of the y that it multiplies, which is computed again. */
function gateGradient(
  gpu: Gpu,
  plan: Plan,
  slice: Slice,
  z: Tensor,
  dy: Tensor,
  dz: Loan,
  dUngated: Loan,
): void {
  const { batch, length, channels } = plan.dims;
  const ungated = gpu.make([batch, length, channels]);
  emit(gpu, plan, slice, ungated.loan, 0);
  const count = slice.rows * length * channels;
  gpu.engine.run('scan-gate', {
    bind: [ungated.loan, gpu.flat(z), gpu.flat(dy), dz, dUngated],
    params: [slice.first * length * channels, count],
    groups: fold(Math.ceil(count / 256)),
  });
  ungated.dispose();
}

interface VariableGradient {
  readonly tensor: MaybeComplex;
  readonly re: Loan;
  readonly im: Loan | undefined;
  readonly interleaved: boolean;
}

/** Room for the gradient of a variable coefficient, in the form that the coefficient has. */
function gradientOf(gpu: Gpu, x: MaybeComplex, { packing }: CoefficientForm): VariableGradient {
  if ('re' in x) {
    const [re, im] = [x.re, x.im].map(({ shape }) => gpu.make(shape));
    return { tensor: { re: re!, im: im! }, re: re!.loan, im: im!.loan, interleaved: false };
  }
  const re = gpu.make(x.shape);
  return { tensor: re, re: re.loan, im: undefined, interleaved: packing === 'interleaved' };
}

function sumCoefficient(
  gpu: Gpu,
  plan: Plan,
  items: Items,
  { first, rows, scratch, regions }: Slice,
  name: 'B' | 'C',
  { re, im, interleaved }: VariableGradient,
): void {
  const { stateSize, length } = plan.dims;
  const { groups, token, group, batch, imaginary } = plan[name];
  const tokens = rows * length;
  const width = 4 * plan.quads;
  const left = 4 * items.shared;
  gpu.engine.run('scan-sum-coefficients', {
    bind: [scratch, re, im],
    params: [
      tokens,
      length,
      stateSize,
      groups,
      (plan.groups / groups) * plan.wide,
      plan.blocks * left,
      regions.shared + (name === 'C' ? 4 * items.sharedC : 0),
      left,
      width,
      width,
      first,
      batch,
      token,
      group,
      im ? 1 : interleaved ? 2 : 0,
      imaginary,
    ],
    groups: fold(Math.ceil((tokens * groups * stateSize) / 64)),
  });
}

function unpackParameter(gpu: Gpu, plan: Plan, items: Items, sums: Loan, first: number): MaybeComplex {
  const { channels, stateSize, complex } = plan.dims;
  const part = (from: number) => {
    const out = gpu.make([channels, stateSize]);
    gpu.engine.run('scan-unpack', {
      bind: [sums, out.loan],
      params: [channels, stateSize, from, items.lanes, 4 * plan.quads],
      groups: [Math.ceil((channels * stateSize) / WG)],
    });
    return out;
  };
  return complex ? { re: part(first), im: part(first + 4 * plan.quads) } : part(first);
}

/** With complex A a real coefficient has a real gradient. */
function asGiven(given: MaybeComplex, gradient: MaybeComplex): MaybeComplex {
  return 're' in gradient && !('re' in given) ? gradient.re : gradient;
}
