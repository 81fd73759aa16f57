import { checkLinear, checkLinearBackward } from '@mamba-ts/backend';
import {
  COLUMN_SUMS,
  GEMM,
  MATVEC,
  MATVEC_NARROW,
  PACK_COLUMNS,
  PACK_ROWS,
  PREPARE_X,
} from '../kernel-ids.js';
import type { Job, Runtime } from '../runtime.js';
import { Kind, type WasmTensor } from '../tensor.js';
import { addressOf, ceilDiv, type Op, own } from './op.js';

/** Up to this many rows of x the weights are read row by row, not packed: packing costs as much as that many rows. */
const FEW_ROWS = 16;
/** The same for narrow weights, which are widened again for each row of x. */
const FEW_ROWS_NARROW = 8;
/** Columns of the product in a piece: see assembly/gemm.ts. */
const BLOCK_N = 64;
/** Floats of A that are packed at a time. */
const PACKED = 1 << 22;
/** Bytes of weights in a piece of a matrix-vector product, at most and at least: a stream is read at full speed only after a while. */
const STREAM = 1 << 20;
const SHORT = 1 << 16;

export const linear: Op<'linear'> = (runtime, inputs) => {
  const { rows, inputs: k, outputs: n, shape } = checkLinear(inputs);
  const y = runtime.empty(shape);
  const product = {
    x: own(inputs.x).address,
    stride: k,
    weight: own(inputs.weight),
    bias: addressOf(inputs.bias),
    y: y.address,
    m: rows,
    n,
    k,
  };
  runtime.withMemory(workspace(product), (space) => runtime.runSequence(linearJobs(runtime, product, space)));
  return y;
};

export const linearBackward: Op<'linearBackward'> = (runtime, inputs, grads) => {
  const { rows, inputs: k, outputs: n } = checkLinearBackward(inputs, grads);
  const x = own(inputs.x);
  const weight = own(inputs.weight);
  const dy = own(grads.dy);
  const dx = runtime.empty(x.shape);
  multiply(runtime, {
    a: { address: dy.address, ld: n, transposed: false },
    b: { tensor: weight, transposed: false },
    bias: 0,
    c: dx.address,
    m: rows,
    n: k,
    k: n,
  });
  const dweight = runtime.empty(weight.shape);
  multiply(runtime, {
    a: { address: dy.address, ld: n, transposed: true },
    b: { tensor: x, transposed: false },
    bias: 0,
    c: dweight.address,
    m: n,
    n: k,
    k: rows,
  });
  if (inputs.bias === undefined) return { dx, dweight };
  const dbias = runtime.empty([n]);
  runtime.run({
    kernel: COLUMN_SUMS,
    pieces: ceilDiv(n, 16),
    ints: [dy.address, rows, n, dbias.address],
    work: (rows * n) / 4,
  });
  return { dx, dweight, dbias };
};

/** y [m, n] = x [m, k] weight^T + bias */
export interface Linear {
  readonly x: number;
  /** How many elements x's rows are apart. */
  readonly stride: number;
  readonly weight: WasmTensor;
  readonly bias: number;
  readonly y: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

function hasFewRows({ weight, m }: Pick<Linear, 'weight' | 'm'>): boolean {
  return m <= (weight.kind === Kind.f32 ? FEW_ROWS : FEW_ROWS_NARROW);
}

/** Bytes that the jobs of a product need for themselves. */
export function workspace({ weight, m, k }: Pick<Linear, 'weight' | 'm' | 'k'>): number {
  if (!hasFewRows({ weight, m })) return 4 * rowsAtOnce(m, k) * k;
  return weight.kind === Kind.f32 ? 0 : m * (preparedRow(k) + 4);
}

/** Bytes of a row of x that is prepared for narrow weights. */
function preparedRow(k: number): number {
  return 4 * 32 * ceilDiv(k, 32);
}

export function linearJobs(runtime: Runtime, product: Linear, space: number): Job[] {
  const { x, stride, weight, bias, y, m, n, k } = product;
  if (hasFewRows(product)) return fewRows(runtime, product, space);
  const a = { address: x, ld: stride, transposed: false };
  const b = { tensor: weight, transposed: true };
  return productJobs(runtime, { a, b, bias, c: y, m, n, k }, space);
}

/** Streams the weights once. */
function fewRows(
  { threads }: Runtime,
  { x, stride, weight, bias, y, m, n, k }: Linear,
  space: number,
): Job[] {
  const { kind } = weight;
  const turns = ceilDiv(weight.bytes, threads * STREAM);
  const bytes = Math.max(SHORT, weight.bytes / (threads * turns));
  const each = 4 * ceilDiv(n * Math.min(1, bytes / weight.bytes), 4);
  const pieces = ceilDiv(n, each);
  const work = (m * n * k) / 4;
  if (kind === Kind.f32) {
    return [{ kernel: MATVEC, pieces, ints: [x, weight.address, bias, y, m, n, k, each, stride], work }];
  }
  const units = space + m * preparedRow(k);
  const scales = kind === Kind.int8 ? weight.scales : 0;
  return [
    { kernel: PREPARE_X, pieces: 1, ints: [x, space, kind, m, k, units, stride], work: m * k },
    {
      kernel: MATVEC_NARROW,
      pieces,
      ints: [space, weight.address, bias, y, m, n, k, each, kind, scales, units],
      work,
    },
  ];
}

interface Product {
  /** [m, k], or [k, m] if transposed; f32, rows `ld` apart. */
  readonly a: { readonly address: number; readonly ld: number; readonly transposed: boolean };
  /** [k, n], or [n, k] if transposed; any type. */
  readonly b: { readonly tensor: WasmTensor; readonly transposed: boolean };
  readonly bias: number;
  readonly c: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** Rows of C that are computed at a time, so that the packed A stays small. */
function rowsAtOnce(m: number, k: number): number {
  return Math.min(roundUp(m, 4), Math.max(256, roundUp(PACKED / k, 128)));
}

/** C = A B + bias, in chunks of rows of C. `packed`: room for A's rows of a chunk. */
function productJobs(runtime: Runtime, { a, b, bias, c, m, n, k }: Product, packed: number): Job[] {
  const chunk = rowsAtOnce(m, k);
  const blocks = ceilDiv(n, BLOCK_N);
  const jobs: Job[] = [];
  for (let row = 0; row < m; row += chunk) {
    const rows = Math.min(chunk, m - row);
    // Enough pieces for the threads where C is narrow; each packs its part of B again, so not too many.
    const each = blocks >= 16 ? rows : Math.max(64, roundUp((rows * blocks) / 16, 4));
    jobs.push(
      {
        kernel: a.transposed ? PACK_COLUMNS : PACK_ROWS,
        pieces: ceilDiv(rows, 64),
        ints: a.transposed
          ? [a.address + 4 * row, k, rows, packed, a.ld]
          : [a.address + 4 * row * a.ld, rows, k, packed, a.ld],
        work: (rows * k) / 2,
      },
      {
        kernel: GEMM,
        pieces: blocks * ceilDiv(rows, each),
        ints: [
          packed,
          b.tensor.address,
          b.tensor.kind === Kind.int8 ? b.tensor.scales : 0,
          b.tensor.kind,
          Number(b.transposed),
          bias,
          c + 4 * row * n,
          rows,
          n,
          k,
          each,
        ],
        work: (rows * n * k) / 4,
        scratch: runtime.gemmScratch,
      },
    );
  }
  return jobs;
}

function multiply(runtime: Runtime, product: Product): void {
  runtime.withMemory(4 * rowsAtOnce(product.m, product.k) * product.k, (packed) =>
    runtime.runSequence(productJobs(runtime, product, packed)),
  );
}

function roundUp(x: number, multiple: number): number {
  return Math.ceil(x / multiple) * multiple;
}
