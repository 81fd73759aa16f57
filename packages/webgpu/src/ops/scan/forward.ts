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
import { Carve, NO_REGIONS, type Plan, packedSize, paramsOf, planOf, type Regions, WG } from './plan.js';

/**
 * The selective scan in three dispatches whatever its length, or, where batch times channels fill the device or the sequence
 * is short, in one pass (and a small one before it). See kernels/scan-chunk.wgsl.
 */
export function selectiveScan(gpu: Gpu, inputs: SelectiveScanInputs): SelectiveScanOutputs {
  const dims = checkSelectiveScan(inputs);
  const { batch, length, channels, stateSize, complex } = dims;
  const plan = planOf(gpu, inputs, dims, chunksOf(gpu, dims), false);
  const y = gpu.make([batch, length, channels], 'f32', 'scan');
  const state = [batch, channels, stateSize];
  if (plan.chunks.count === 1 && !complex) {
    return { y, lastState: onePass(gpu, plan, inputs.initialState as Tensor | undefined, y.loan) };
  }

  const carve = new Carve();
  const regions: Regions = {
    ...NO_REGIONS,
    packed: carve.take(packedSize(plan)),
    states: carve.take(batch * plan.chunks.count * plan.lanes * channels),
    sums: carve.take(batch * plan.chunks.count * channels),
  };
  const scratch = gpu.make([carve.size], 'f32', 'scratch of the scan').loan;
  const make = () => gpu.make(state, 'f32', 'last state');
  const lastState = complex ? { re: make(), im: make() } : make();
  const params = paramsOf(plan, regions, 0, batch);
  chunk(gpu, plan, scratch, params, batch);
  carry(gpu, plan, scratch, params, batch, inputs.initialState, lastState, false);
  emit(gpu, plan, scratch, params, batch, y.loan, { gated: true, last: false });
  return { y, lastState };
}

/** One chunk: the state that the kernel ends with is the last state, and is written where the result lies, in scratch's head. */
function onePass(gpu: Gpu, plan: Plan, initialState: Tensor | undefined, y: Loan): Tensor {
  const { dims, constants } = plan;
  const { batch, channels, stateSize } = dims;
  const carve = new Carve();
  const regions: Regions = {
    ...NO_REGIONS,
    last: carve.take(batch * channels * stateSize),
    packed: carve.take(packedSize(plan)),
    states: carve.take(batch * plan.lanes * channels),
  };
  const whole = gpu.make([carve.size], 'f32', 'scratch of the scan');
  const params = paramsOf(plan, regions, 0, batch);
  gpu.engine.run('scan-pack', {
    constants: { ...constants, HAS_SKIP: plan.skip !== undefined, HAS_STATE: initialState !== undefined },
    bind: [plan.A, plan.bias, plan.skip, gpu.flat(initialState), whole.loan],
    params,
    groups: [Math.ceil(channels / WG), 1, batch],
  });
  emit(gpu, plan, whole.loan, params, batch, y, { gated: true, last: true });
  return gpu.view(whole, [batch, channels, stateSize], regions.last, stateSize);
}

/** What each chunk does to the state by itself. */
export function chunk(gpu: Gpu, plan: Plan, scratch: Loan, params: number[], batch: number): void {
  gpu.engine.run('scan-chunk', {
    constants: {
      ...plan.constants,
      REVERSE: false,
      CONSTANT: plan.B.constant,
      HAS_SKIP: plan.skip !== undefined,
    },
    bind: [plan.u, plan.delta, plan.A, plan.B.loan, plan.bias, plan.skip, plan.seq, scratch],
    params,
    groups: [plan.groups * plan.wide, plan.chunks.count, batch],
  });
}

/** From chunk to chunk; `to` is the state after the last (reverse: before the first). */
export function carry(
  gpu: Gpu,
  plan: Plan,
  scratch: Loan,
  params: number[],
  batch: number,
  from: MaybeComplex | undefined,
  to: MaybeComplex,
  reverse: boolean,
): void {
  const parts = (x: MaybeComplex | undefined) =>
    x === undefined
      ? [undefined, undefined]
      : isComplex(x)
        ? [gpu.flat(x.re), gpu.flat(x.im)]
        : [gpu.flat(x), undefined];
  const [fromRe, fromIm] = parts(from);
  const [toRe, toIm] = parts(to);
  gpu.engine.run('scan-carry', {
    constants: { ...plan.constants, REVERSE: reverse, HAS_STATE: from !== undefined },
    bind: [fromRe, fromIm, scratch, toRe, toIm],
    params,
    groups: [Math.ceil(plan.dims.channels / WG), plan.blocks * 4 * plan.quads, batch],
  });
}

/** y of every chunk from the state that it starts from. */
export function emit(
  gpu: Gpu,
  plan: Plan,
  scratch: Loan,
  params: number[],
  batch: number,
  y: Loan,
  { gated, last }: { gated: boolean; last: boolean },
): void {
  const { constants, B, C } = plan;
  const z = gated ? plan.z?.loan : undefined;
  gpu.engine.run('scan-emit', {
    constants: {
      ...constants,
      B_CONSTANT: B.constant,
      C_CONSTANT: C.constant,
      HAS_SKIP: plan.skip !== undefined,
      HAS_Z: z !== undefined,
      LAST: last,
    },
    bind: [plan.u, plan.delta, B.loan, C.loan, z, scratch, plan.seq, y],
    params,
    groups: [plan.groups * plan.wide, plan.chunks.count, batch],
  });
}
