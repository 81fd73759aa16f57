import {
  type ComplexTensor,
  checkLongConv,
  checkLongConvBackward,
  checkS4dKernel,
  checkS4dKernelBackward,
  type LongConvInputs,
  type S4dKernelInputs,
  type Tensor,
} from '@mamba-ts/backend';
import { fold, type Gpu } from '../gpu.js';
import { columnSum } from './reductions.js';
import { joined } from './scan/coefficients.js';

export function s4dKernel(gpu: Gpu, inputs: S4dKernelInputs): Tensor {
  const { channels, stateSize, length } = checkS4dKernel(inputs);
  const { dt, A, C } = inputs;
  const kernel = gpu.make([channels, length]);
  gpu.engine.run('s4d-kernel', {
    constants: { COMPLEX: true },
    bind: [gpu.flat(dt), gpu.flat(A.re), gpu.flat(A.im), gpu.flat(C.re), gpu.flat(C.im), kernel.loan],
    params: [channels, stateSize, length],
    groups: fold(Math.ceil((channels * Math.ceil(length / 4)) / 64)),
  });
  return kernel;
}

export function s4dKernelBackward(
  gpu: Gpu,
  inputs: S4dKernelInputs,
  grads: { dkernel: Tensor },
): { ddt: Tensor; dA: ComplexTensor; dC: ComplexTensor } {
  const { channels, stateSize, length } = checkS4dKernelBackward(inputs, grads);
  const shape = [channels, stateSize];
  const perState = gpu.make([stateSize, channels]).loan;
  const [dA, dC] = [gpu.make([2, ...shape]), gpu.make([2, ...shape])];
  gpu.engine.run('s4d-kernel-backward', {
    constants: { COMPLEX: true },
    bind: [
      gpu.flat(inputs.dt),
      joined(gpu, inputs.A),
      joined(gpu, inputs.C),
      gpu.flat(grads.dkernel),
      perState,
      dA.loan,
      dC.loan,
    ],
    params: [channels, stateSize, length],
    groups: [channels, stateSize],
  });
  const ddt = gpu.make([channels]);
  columnSum(gpu, perState, stateSize, channels, ddt.loan);
  const apart = (x: typeof dA) => ({
    re: gpu.view(x, shape, 0, stateSize),
    im: gpu.view(x, shape, channels * stateSize, stateSize),
  });
  return { ddt, dA: apart(dA), dC: apart(dC) };
}

export function longConv(gpu: Gpu, inputs: LongConvInputs): Tensor {
  const { batch, length, channels, taps } = checkLongConv(inputs);
  const y = gpu.make([batch, length, channels]);
  gpu.engine.run('long-conv', {
    constants: { HAS_SKIP: inputs.D !== undefined },
    bind: [gpu.flat(inputs.x), gpu.flat(inputs.kernel), gpu.flat(inputs.D), y.loan],
    params: [batch, length, channels, taps],
    groups: fold(Math.ceil((batch * Math.ceil(length / 4) * channels) / 64)),
  });
  return y;
}

export function longConvBackward(
  gpu: Gpu,
  inputs: LongConvInputs,
  grads: { dy: Tensor },
): { dx: Tensor; dkernel: Tensor; dD?: Tensor } {
  const { batch, length, channels, taps } = checkLongConvBackward(inputs, grads);
  const params = [batch, length, channels, taps];
  const dy = gpu.flat(grads.dy);
  const dx = gpu.make([batch, length, channels]);
  gpu.engine.run('long-conv', {
    constants: { BACK: true, HAS_SKIP: inputs.D !== undefined },
    bind: [dy, gpu.flat(inputs.kernel), gpu.flat(inputs.D), dx.loan],
    params,
    groups: fold(Math.ceil((batch * Math.ceil(length / 4) * channels) / 64)),
  });
  const dkernel = gpu.make([channels, taps]);
  const dD = gpu.make([channels]);
  gpu.engine.run('long-conv-backward-kernel', {
    bind: [gpu.flat(inputs.x), dy, dkernel.loan, dD.loan],
    params,
    groups: fold(Math.ceil((channels * taps) / 64)),
  });
  return inputs.D ? { dx, dkernel, dD } : { dx, dkernel };
}
