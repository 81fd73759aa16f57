import { type DType, sizeOf, type Tensor } from '../tensor.js';
import { CallCheck, sameShape, show } from './call-check.js';

export interface SplitDims {
  readonly dtype: DType;
  /** From 0: a negative axis counts from the last one. */
  readonly axis: number;
  /** Product of the axes before, and of those after `axis`. */
  readonly outer: number;
  readonly inner: number;
  /** Of `axis`, piece by piece. */
  readonly sizes: readonly number[];
  /** Of the pieces. */
  readonly shapes: readonly (readonly number[])[];
  /** Of the whole. */
  readonly shape: readonly number[];
}

/** Pieces and axes may be empty. f16, bf16 and int8 tensors are not cut: `DTYPE`. */
export function checkSplit({
  x,
  sizes,
  axis: given,
}: {
  x: Tensor;
  sizes: readonly number[];
  axis: number;
}): SplitDims {
  const call = new CallCheck('split');
  call.present('x', x);
  checkType(call, 'x', x);
  const axis = resolveAxis(call, given, x.shape);
  for (const size of sizes) {
    call.number('sizes', size, Number.isSafeInteger(size) && size >= 0, 'whole numbers, at least 0');
  }
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total !== x.shape[axis]) {
    call.fail(
      'SHAPE',
      `sizes ${show(sizes)} add up to ${total}, expected ${x.shape[axis]}, the length of axis ${axis} of ${show(x.shape)}`,
    );
  }
  return dimsOf(x.dtype, axis, sizes, x.shape);
}

/** At least one tensor; all of one type, and of one shape but for `axis`. */
export function checkConcat({
  tensors,
  axis: given,
}: {
  tensors: readonly Tensor[];
  axis: number;
}): SplitDims {
  const call = new CallCheck('concat');
  if (tensors.length === 0) call.fail('INVALID_ARGUMENT', 'tensors is empty: give at least one');
  const [first] = tensors;
  call.present('tensors[0]', first);
  const axis = resolveAxis(call, given, first.shape);
  tensors.forEach((x, i) => {
    call.present(`tensors[${i}]`, x);
    checkType(call, `tensors[${i}]`, x);
    if (x.dtype !== first.dtype) {
      call.fail('DTYPE', `tensors[${i}] is ${x.dtype}, but tensors[0] is ${first.dtype}`);
    }
    if (
      x.shape.length !== first.shape.length ||
      !sameShape(x.shape.with(axis, 0), first.shape.with(axis, 0))
    ) {
      call.fail(
        'SHAPE',
        `tensors[${i}] has shape ${show(x.shape)}, expected ${show((first.shape as readonly (string | number)[]).with(axis, '*'))} as tensors[0]`,
      );
    }
  });
  const sizes = tensors.map(({ shape }) => shape[axis]);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  return dimsOf(first.dtype, axis, sizes, first.shape.with(axis, total));
}

function dimsOf(dtype: DType, axis: number, sizes: readonly number[], shape: readonly number[]): SplitDims {
  return {
    dtype,
    axis,
    outer: sizeOf(shape.slice(0, axis)),
    inner: sizeOf(shape.slice(axis + 1)),
    sizes,
    shapes: sizes.map((size) => shape.with(axis, size)),
    shape,
  };
}

function checkType(call: CallCheck, name: string, { dtype }: Tensor): void {
  if (dtype !== 'f32' && dtype !== 'f64' && dtype !== 'i32') {
    call.fail('DTYPE', `${name} is ${dtype}, expected f32, f64 or i32`);
  }
}

function resolveAxis(call: CallCheck, axis: number, shape: readonly number[]): number {
  const rank = shape.length;
  const good = Number.isSafeInteger(axis) && axis >= -rank && axis < rank;
  if (!good) {
    call.fail(
      'SHAPE',
      `axis ${axis} does not exist in shape ${show(shape)}: expected ${-rank} to ${rank - 1}`,
    );
  }
  return axis < 0 ? axis + rank : axis;
}
