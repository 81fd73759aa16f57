import { checkBinary, checkExp, checkFill, checkSilu, checkSiluBackward } from '@mamba-ts/backend';
import { ADD, EXP, FILL, MUL, SILU, SILU_BACKWARD } from '../kernel-ids.js';
import type { Runtime } from '../runtime.js';
import type { WasmTensor } from '../tensor.js';
import { addressOf, ceilDiv, type Op } from './op.js';

/** Elements that an elementwise kernel takes at a time. */
const PIECE = 16384;

/** A kernel over `size` elements, which come last among the arguments. */
export function elementwise(
  runtime: Runtime,
  kernel: number,
  size: number,
  addresses: number[],
  cost: number,
  floats?: number[],
): void {
  if (size === 0) return;
  runtime.run({
    kernel,
    pieces: ceilDiv(size, PIECE),
    ints: [...addresses, size],
    floats,
    work: size * cost,
  });
}

function binary(kernel: number): Op<'add' | 'mul'> {
  const name = kernel === ADD ? 'add' : 'mul';
  return (runtime, inputs) => {
    const { shape, size } = checkBinary(name, inputs);
    const y = runtime.empty(shape);
    elementwise(runtime, kernel, size, [addressOf(inputs.a), addressOf(inputs.b), y.address], 0.5);
    return y;
  };
}

export const add: Op<'add'> = binary(ADD);
export const mul: Op<'mul'> = binary(MUL);

export const silu: Op<'silu'> = (runtime, inputs) => {
  const { shape, size } = checkSilu(inputs);
  const y = runtime.empty(shape);
  elementwise(runtime, SILU, size, [addressOf(inputs.x), y.address], 4);
  return y;
};

export const siluBackward: Op<'siluBackward'> = (runtime, inputs, grads) => {
  const { shape, size } = checkSiluBackward(inputs, grads);
  const dx = runtime.empty(shape);
  elementwise(runtime, SILU_BACKWARD, size, [addressOf(inputs.x), addressOf(grads.dy), dx.address], 5);
  return { dx };
};

export const exp: Op<'exp'> = (runtime, inputs) => {
  const { shape, size } = checkExp(inputs);
  const y = runtime.empty(shape);
  elementwise(runtime, EXP, size, [addressOf(inputs.x), y.address], 3, [inputs.sign ?? 1]);
  return y;
};

export const fill: Op<'fill'> = (runtime, inputs) => {
  const { dtype, size } = checkFill(inputs);
  const y = runtime.empty(inputs.shape, dtype);
  fillWith(runtime, y, size, inputs.value);
  return y;
};

const bits = new DataView(new ArrayBuffer(4));

/** Every element of an f32 or i32 tensor. */
function fillWith(runtime: Runtime, y: WasmTensor, size: number, value: number): void {
  if (y.dtype === 'i32') bits.setInt32(0, value);
  else bits.setFloat32(0, value);
  fillWords(runtime, y.address, size, bits.getInt32(0));
}

/** `words` words of zeros. */
export function zero(runtime: Runtime, address: number, words: number): void {
  fillWords(runtime, address, words, 0);
}

function fillWords(runtime: Runtime, address: number, words: number, value: number): void {
  if (words === 0) return;
  runtime.run({
    kernel: FILL,
    pieces: ceilDiv(words, PIECE),
    ints: [address, words, value],
    work: words / 4,
  });
}
