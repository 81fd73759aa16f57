import {
  checkSelectiveScan,
  isComplex,
  type MaybeComplex,
  type SelectiveScanInputs,
  type SelectiveScanOutputs,
  type Tensor,
} from '@mamba-ts/backend';
import type { Gpu } from '../../gpu.js';
import type { Loan } from '../../pool.js';
import { chunksOf } from '../chunks.js';
import {
  Carve,
  FLAGS,
  NO_REGIONS,
  type Plan,
  packedSize,
  paramsOf,
  planOf,
  type Regions,
  type Slice,
  WG,
} from './plan.js';

/**
 * The selective scan in three dispatches whatever its length, or, where batch times channels fill the device or the sequence
 * is short, in one pass (and a small one before it). See kernels/scan-chunk.wgsl.
 */
export function selectiveScan(gpu: Gpu, inputs: SelectiveScanInputs): SelectiveScanOutputs {
  const dims = checkSelectiveScan(inputs);
  const { batch, length, channels, stateSize, complex } = dims;
  const plan = planOf(gpu, inputs, dims, chunksOf(gpu, dims), false);
  const y = gpu.make([batch, length, channels]);
  const state = [batch, channels, stateSize];
  if (plan.chunks.count === 1 && !complex) {
    return {
      y,
      lastState: onePass(
        gpu,
        plan,
        inputs.initialState as Tensor | undefined,
        y.loan,
        inputs.z ? FLAGS.gate : 0,
      ),
    };
  }

  const carve = new Carve();
  const regions: Regions = {
    ...NO_REGIONS,
    packed: carve.take(packedSize(plan)),
    states: carve.take(batch * plan.chunks.count * plan.lanes * channels),
    sums: carve.take(batch * plan.chunks.count * channels),
  };
  const scratch = gpu.make([carve.size]).loan;
  const slice = { first: 0, rows: batch, scratch, regions };
  const make = () => gpu.make(state);
  const lastState = complex ? { re: make(), im: make() } : make();
  chunk(gpu, plan, slice, plan.u, false);
  carry(gpu, plan, slice, inputs.initialState, lastState, false);
  emit(gpu, plan, slice, y.loan, inputs.z ? FLAGS.gate : 0);
  return { y, lastState };
}

/** One chunk: the state that the kernel ends with is the last state, and is written where the result lies, in scratch's head. */
function onePass(gpu: Gpu, plan: Plan, initialState: Tensor | undefined, y: Loan, gate: number): Tensor {
  const { batch, channels, stateSize } = plan.dims;
  const carve = new Carve();
  const regions: Regions = {
    ...NO_REGIONS,
    last: carve.take(batch * channels * stateSize),
    packed: carve.take(packedSize(plan)),
    states: carve.take(batch * plan.lanes * channels),
  };
  const whole = gpu.make([carve.size]);
  const slice = { first: 0, rows: batch, scratch: whole.loan, regions };
  gpu.engine.run('scan-pack', {
    bind: [plan.A, plan.bias, plan.skip, gpu.flat(initialState), whole.loan],
    params: paramsOf(plan, slice, initialState ? FLAGS.state : 0),
    groups: [Math.ceil(channels / WG), 1, batch],
  });
  emit(gpu, plan, slice, y, gate | FLAGS.last);
  return gpu.view(whole, [batch, channels, stateSize], regions.last, stateSize);
}

/** What each chunk does to the state by itself; reverse, with `x` the gradient of y, to the gradient of the state. */
export function chunk(gpu: Gpu, plan: Plan, slice: Slice, x: Loan, reverse: boolean): void {
  const coefficient = reverse ? plan.C : plan.B;
  gpu.engine.run('scan-chunk', {
    constants: {
      ...plan.constants,
      REVERSE: reverse,
      CONSTANT: coefficient.constant,
      PACKED: plan.seq !== undefined,
    },
    bind: [x, plan.delta, plan.A, coefficient.loan, plan.bias, plan.skip, plan.seq, slice.scratch],
    params: paramsOf(plan, slice),
    groups: [plan.groups * plan.wide, plan.chunks.count, slice.rows],
  });
}

/** From chunk to chunk; `to` is the state after the last (reverse: before the first). */
export function carry(
  gpu: Gpu,
  plan: Plan,
  slice: Slice,
  from: MaybeComplex | undefined,
  to: MaybeComplex,
  reverse: boolean,
): void {
  const [fromRe, fromIm] = partsOf(gpu, from);
  const [toRe, toIm] = partsOf(gpu, to);
  gpu.engine.run('scan-carry', {
    constants: { COMPLEX: plan.dims.complex },
    bind: [fromRe, fromIm, slice.scratch, toRe, toIm],
    params: paramsOf(plan, slice, (from ? FLAGS.state : 0) | (reverse ? FLAGS.back : 0)),
    groups: [Math.ceil(plan.dims.channels / WG), plan.blocks * 4 * plan.quads, slice.rows],
  });
}

function partsOf(gpu: Gpu, x: MaybeComplex | undefined): [Loan | undefined, Loan | undefined] {
  if (x === undefined) return [undefined, undefined];
  return isComplex(x) ? [gpu.flat(x.re), gpu.flat(x.im)] : [gpu.flat(x), undefined];
}

/** y of every chunk from the state that it starts from. */
export function emit(gpu: Gpu, plan: Plan, slice: Slice, y: Loan, flags: number): void {
  const { B, C } = plan;
  const z = flags & FLAGS.gate ? plan.z?.loan : undefined;
  gpu.engine.run('scan-emit', {
    constants: {
      ...plan.constants,
      B_CONSTANT: B.constant,
      C_CONSTANT: C.constant,
      PACKED: plan.seq !== undefined,
    },
    bind: [plan.u, plan.delta, B.loan, C.loan, z, slice.scratch, plan.seq, y],
    params: paramsOf(plan, slice, flags),
    groups: [plan.groups * plan.wide, plan.chunks.count, slice.rows],
  });
}
