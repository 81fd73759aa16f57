import { type AdamWInputs, checkAdamW, checkGradNorm, type Tensor } from '@mamba-ts/backend';
import { float } from '../engine.js';
import { fold, type Gpu } from '../gpu.js';
import { layoutOf } from '../layout.js';

/** Elements that one workgroup squares. */
const STRETCH = 8192;

export function gradNorm(gpu: Gpu, inputs: { grads: readonly Tensor[] }): Tensor {
  checkGradNorm(inputs);
  const pieces = inputs.grads.flatMap((tensor) => {
    const x = gpu.get(tensor);
    const { columns } = layoutOf(x.shape, x.dtype);
    return x.parts.map(({ loan, rows }) => ({
      loan: x.parts.length > 1 ? loan : gpu.flat(x),
      size: rows * columns,
    }));
  });
  const stretches = (size: number) => Math.ceil(size / STRETCH);
  const total = pieces.reduce((sum, { size }) => sum + stretches(size), 0);
  const sums = gpu.make([total]).loan;
  let first = 0;
  for (const { loan, size } of pieces) {
    gpu.engine.run('sum-squares', {
      bind: [loan, sums],
      params: [size, STRETCH, first],
      groups: fold(stretches(size)),
    });
    first += stretches(size);
  }
  const norm = gpu.make([]);
  gpu.engine.run('sum-squares', {
    constants: { ROOT: true },
    bind: [sums, norm.loan],
    params: [total, total, 0],
    groups: [1],
  });
  return norm;
}

export function adamW(gpu: Gpu, inputs: AdamWInputs): void {
  checkAdamW(inputs);
  const { grad, step, lr, beta1, beta2, eps, weightDecay, norm, maxNorm } = inputs;
  const [param, m, v] = [gpu.own(inputs.param), gpu.own(inputs.m), gpu.own(inputs.v)];
  const { columns } = layoutOf(param.shape, 'f32');
  const params = [
    lr,
    1 - beta1,
    beta2,
    1 - beta2,
    eps,
    weightDecay,
    1 - beta1 ** step,
    1 - beta2 ** step,
    maxNorm ?? 0,
  ];
  const cut = param.parts.length > 1;
  param.parts.forEach(({ loan, rows }, i) => {
    const quads = Math.ceil((rows * columns) / 4);
    gpu.engine.run('adamw', {
      constants: { CLIP: norm !== undefined },
      bind: [
        loan,
        cut ? gpu.get(grad).parts[i]!.loan : gpu.flat(grad),
        m.parts[i]!.loan,
        v.parts[i]!.loan,
        gpu.flat(norm),
      ],
      params: [quads, ...params.map(float)],
      groups: fold(Math.ceil(quads / 256)),
    });
  });
}
