import { checkConcat, checkSplit, type SplitDims } from '@mamba-ts/backend';
import { COPY_RUNS } from '../kernel-ids.js';
import type { Runtime } from '../runtime.js';
import type { WasmTensor } from '../tensor.js';
import { ceilDiv, type Op, own } from './op.js';

/** Bytes that a piece copies. */
const PIECE = 1 << 17;

export interface Runs {
  readonly from: number;
  readonly fromStride: number;
  readonly to: number;
  readonly toStride: number;
  readonly runs: number;
  /** Of a run: a multiple of 4. */
  readonly bytes: number;
}

export function copyRuns(runtime: Runtime, { from, fromStride, to, toStride, runs, bytes }: Runs): void {
  if (runs === 0 || bytes === 0) return;
  const each = Math.max(1, Math.floor(PIECE / bytes));
  runtime.run({
    kernel: COPY_RUNS,
    pieces: ceilDiv(runs, each),
    ints: [from, fromStride, to, toStride, runs, bytes, each],
    work: (runs * bytes) / 16,
  });
}

/** Copies between the whole and its pieces, in the direction that `runsOf` says. */
function eachPiece(
  runtime: Runtime,
  { outer, inner, sizes, axis, shape }: SplitDims,
  whole: WasmTensor,
  pieces: readonly WasmTensor[],
  gather: boolean,
): void {
  const wholeStride = 4 * inner * shape[axis];
  let offset = whole.address;
  pieces.forEach((piece, i) => {
    const bytes = 4 * inner * sizes[i];
    copyRuns(
      runtime,
      gather
        ? { from: piece.address, fromStride: bytes, to: offset, toStride: wholeStride, runs: outer, bytes }
        : { from: offset, fromStride: wholeStride, to: piece.address, toStride: bytes, runs: outer, bytes },
    );
    offset += bytes;
  });
}

export const split: Op<'split'> = (runtime, inputs) => {
  const dims = checkSplit(inputs);
  const pieces = dims.shapes.map((shape) => runtime.empty(shape, dims.dtype));
  eachPiece(runtime, dims, own(inputs.x), pieces, false);
  return pieces;
};

export const concat: Op<'concat'> = (runtime, inputs) => {
  const dims = checkConcat(inputs);
  const whole = runtime.empty(dims.shape, dims.dtype);
  eachPiece(runtime, dims, whole, inputs.tensors.map(own), true);
  return whole;
};

export const copy: Op<'copy'> = (runtime, { x }) => {
  const from = own(x);
  const y = runtime.empty(x.shape, x.dtype, from.kind);
  copyInto(runtime, from, y);
  return y;
};

/** Overwrites a tensor with another one of its size and kind. */
export function copyInto(runtime: Runtime, source: WasmTensor, target: WasmTensor): void {
  const [from, to] = [source.address, target.address];
  // Whole lines: an int8 tensor's scales lie behind its values.
  const bytes = source.allocated;
  copyRuns(runtime, {
    from,
    fromStride: PIECE,
    to,
    toStride: PIECE,
    runs: Math.floor(bytes / PIECE),
    bytes: PIECE,
  });
  const done = bytes - (bytes % PIECE);
  copyRuns(runtime, {
    from: from + done,
    fromStride: 0,
    to: to + done,
    toStride: 0,
    runs: 1,
    bytes: Math.ceil((bytes - done) / 4) * 4,
  });
}
