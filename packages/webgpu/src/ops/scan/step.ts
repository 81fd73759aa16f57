import {
  checkSelectiveScanStep,
  isComplex,
  MambaError,
  type MaybeComplex,
  type SelectiveScanStepInputs,
  type Tensor,
} from '@mamba-ts/backend';
import { MAX_UNIFORM } from '../../engine.js';
import type { Gpu } from '../../gpu.js';
import type { GpuTensor } from '../../tensor.js';
import { map } from '../elementwise.js';
import { rowsOf } from '../rows.js';
import { coefficientOf, joined } from './coefficients.js';

/** One token in one dispatch (with complex A and a gate, three). */
export function selectiveScanStep(gpu: Gpu, inputs: SelectiveScanStepInputs): Tensor {
  const dims = checkSelectiveScanStep(inputs);
  const { batch, channels, stateSize, complex } = dims;
  const { z, deltaBias, D } = inputs;
  const [re, im] = ownParts(gpu, inputs.state);
  const y = gpu.make([batch, channels], 'f32', 'scan of a token');
  const sizes = { length: 1, states: stateSize, channels };
  const B = coefficientOf(gpu, inputs.B, dims.B, sizes);
  const C = coefficientOf(gpu, inputs.C, dims.C, sizes);
  const [u, delta] = [rowsOf(gpu, inputs.u), rowsOf(gpu, inputs.delta)];
  const gate = z && !complex ? rowsOf(gpu, z) : undefined;
  // How far the coefficients of the next channels lie, and how many share one.
  const row = (x: typeof B) =>
    x.constant
      ? [x.offset, 0, stateSize, 1, x.imaginary]
      : [x.offset, x.batch, x.group, channels / x.groups, x.imaginary];
  const quads = Math.ceil(channels / 4);
  if (16 * quads > MAX_UNIFORM) {
    throw new MambaError(
      'UNSUPPORTED_OP',
      `selectiveScanStep: ${channels} channels, but on WebGPU at most ${MAX_UNIFORM / 4}`,
    );
  }
  gpu.engine.run('scan-step', {
    snippets: [complex ? 'scan-step-complex' : 'scan-step-real'],
    constants: {
      COMPLEX: complex,
      ZOH: dims.discretization === 'zoh',
      SOFTPLUS: dims.softplus,
      HAS_BIAS: deltaBias !== undefined,
      HAS_SKIP: D !== undefined,
      HAS_Z: gate !== undefined,
      BIAS: deltaBias ? quads : 1,
      SKIP: D ? quads : 1,
    },
    bind: [
      u.loan,
      delta.loan,
      joined(gpu, inputs.A),
      B.loan,
      C.loan,
      complex ? im!.loan : gate?.loan,
      re.loan,
      y.loan,
      gpu.flat(deltaBias),
      gpu.flat(D),
    ],
    params: [
      channels,
      stateSize,
      u.offset,
      u.stride,
      delta.offset,
      delta.stride,
      gate?.offset ?? 0,
      gate?.stride ?? 0,
      ...row(B),
      ...row(C),
    ],
    groups: [Math.ceil(channels / 64), batch],
  });
  return complex && z ? map(gpu, 'mul', y, map(gpu, 'silu', z)) : y;
}

function ownParts(gpu: Gpu, state: MaybeComplex): [GpuTensor, GpuTensor | undefined] {
  return isComplex(state) ? [gpu.own(state.re), gpu.own(state.im)] : [gpu.own(state), undefined];
}
