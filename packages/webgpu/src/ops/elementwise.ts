import {
  checkBinary,
  checkExp,
  checkFill,
  checkSilu,
  checkSiluBackward,
  type Tensor,
} from '@mamba-ts/backend';
import { float } from '../engine.js';
import { fold, type Gpu } from '../gpu.js';
import { layoutOf } from '../layout.js';
import type { Loan } from '../pool.js';

const OPS = { add: 0, mul: 1, silu: 2, siluSlope: 3, exp: 4 } as const;

export function add(gpu: Gpu, inputs: { a: Tensor; b: Tensor }): Tensor {
  checkBinary('add', inputs);
  return map(gpu, 'add', inputs.a, inputs.b);
}

export function mul(gpu: Gpu, inputs: { a: Tensor; b: Tensor }): Tensor {
  checkBinary('mul', inputs);
  return map(gpu, 'mul', inputs.a, inputs.b);
}

export function silu(gpu: Gpu, inputs: { x: Tensor }): Tensor {
  checkSilu(inputs);
  return map(gpu, 'silu', inputs.x);
}

export function siluBackward(gpu: Gpu, inputs: { x: Tensor }, grads: { dy: Tensor }): { dx: Tensor } {
  checkSiluBackward(inputs, grads);
  return { dx: map(gpu, 'siluSlope', inputs.x, grads.dy) };
}

export function exp(gpu: Gpu, inputs: { x: Tensor; sign?: 1 | -1 | undefined }): Tensor {
  checkExp(inputs);
  return map(gpu, 'exp', inputs.x, undefined, inputs.sign ?? 1);
}

export function fill(
  gpu: Gpu,
  inputs: { shape: readonly number[]; value: number; dtype?: 'f32' | 'f64' | 'i32' | undefined },
): Tensor {
  const { dtype, size } = checkFill(inputs);
  const tensor = gpu.make(inputs.shape, dtype);
  const bits = dtype === 'i32' ? inputs.value >>> 0 : float(inputs.value);
  for (const { loan, rows } of tensor.parts) {
    gpu.fill(loan, tensor.parts.length > 1 ? rows * tensor.stride : size, bits);
  }
  return tensor;
}

/** A copy of the same bits, of any type. */
export function copy(gpu: Gpu, { x }: { x: Tensor }): Tensor {
  const from = gpu.get(x);
  const to = gpu.make(x.shape, x.dtype);
  if (from.parts.length === 1 && from.dtype !== 'int8' && !isPacked(x)) {
    gpu.copyRows(from, to);
    return to;
  }
  const { pitch, blocks } = layoutOf(x.shape, x.dtype);
  const whole = (a: Loan, b: Loan, words: number) =>
    gpu.move(a, b, { rows: 1, columns: words, from: [0, words], to: [0, words] });
  from.parts.forEach(({ loan, scales, rows }, i) => {
    whole(loan, to.parts[i]!.loan, rows * pitch);
    if (scales) whole(scales, to.parts[i]!.scales!, rows * blocks);
  });
  return to;
}

const isPacked = ({ dtype }: Tensor) => dtype === 'f16' || dtype === 'bf16';

/** y = f(a, b), part by part: tensors of one shape are cut alike. */
export function map(gpu: Gpu, op: keyof typeof OPS, a: Tensor, b?: Tensor, scale = 1): Tensor {
  const y = gpu.make(a.shape);
  const cut = y.parts.length > 1;
  y.parts.forEach(({ loan, rows }, i) => {
    const quads = Math.ceil((rows * (y.shape.at(-1) ?? 1)) / 4);
    const of = (x: Tensor | undefined) => (x && cut ? gpu.get(x).parts[i]!.loan : gpu.flat(x));
    gpu.engine.run('elementwise', {
      constants: { OP: OPS[op] },
      bind: [of(a), of(b), loan],
      params: [quads, float(scale)],
      groups: fold(Math.ceil(quads / 256)),
    });
  });
  return y;
}
