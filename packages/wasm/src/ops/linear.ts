import { checkLinear, checkLinearBackward } from '@mamba-ts/backend';
import { COLUMN_SUMS, GEMM, MATVEC, PACK_COLUMNS, PACK_ROWS, PREPARE_X } from '../kernel-ids.js';
import type { Job, Runtime } from '../runtime.js';
import { Kind, panelRows, type WasmTensor } from '../tensor.js';
import { addressOf, ceilDiv, type Op, own } from './op.js';
import { copyInto } from './split-concat.js';

/** Up to this many rows of x each panel of weights is multiplied with one after another. */
const FEW_ROWS = 4;
/** The same for narrow weights, which a product of matrices widens first. */
const FEW_ROWS_NARROW = 8;
/** Rows of a tile of the product, and rows of A in a piece of packing. */
const TILE_M = 5;
const PACK_M = 60;
/** Columns of the product in a piece: see assembly/gemm.ts. */
const BLOCK_N = 64;
/** Floats of A that are packed at a time. */
const PACKED = 1 << 22;
/** Bytes of weights in a piece of a matrix-vector product, at most and at least: a stream is read at full speed only after a while. */
const STREAM = 1 << 22;
const SHORT = 1 << 16;

export const linear: Op<'linear'> = (runtime, inputs) => {
  const { rows, inputs: k, outputs: n, shape } = checkLinear(inputs);
  const weight = own(inputs.weight);
  // A product wants its weight in panels, and x in row order.
  const twin = inputs.x === weight ? runtime.empty(weight.shape) : undefined;
  if (twin) copyInto(runtime, weight, twin);
  const y = runtime.empty(shape);
  const product = {
    x: addressOf(twin ?? inputs.x),
    stride: k,
    weight,
    bias: addressOf(inputs.bias),
    y: y.address,
    m: rows,
    n,
    k,
  };
  runtime.withMemory(workspace(product), (space) => runtime.runSequence(linearJobs(runtime, product, space)));
  twin?.dispose();
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
    b: { address: weight.address, kind: weight.kind, scales: weight.scales, inPanels: false },
    bias: 0,
    c: dx.address,
    m: rows,
    n: k,
    k: n,
  });
  const dweight = runtime.empty(weight.shape);
  multiply(runtime, {
    a: { address: dy.address, ld: n, transposed: true },
    b: { address: x.address, kind: x.kind, scales: 0, inPanels: false },
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
  return m * (preparedRow(k) + 4);
}

/** Bytes of a row of x that is prepared for narrow weights. */
function preparedRow(k: number): number {
  return 4 * roundUp(k, 32);
}

export function linearJobs(runtime: Runtime, product: Linear, space: number): Job[] {
  const { x, stride, weight, bias, y, m, n, k } = product;
  if (hasFewRows(product)) return fewRows(runtime, product, space);
  const a = { address: x, ld: stride, transposed: false };
  const b = { address: weight.panels, kind: weight.kind, scales: weight.scales, inPanels: true };
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
  const panels = ceilDiv(n, panelRows(kind));
  const each = Math.ceil(panels * Math.min(1, bytes / weight.bytes));
  const isPrepared = kind === Kind.f16 || kind === Kind.int8;
  const units = space + m * preparedRow(k);
  const from = isPrepared ? space : x;
  const work = (m * n * k) / 4;
  const jobs: Job[] = [
    {
      kernel: MATVEC,
      pieces: ceilDiv(panels, each),
      ints: [from, weight.panels, bias, y, m, n, k, each, kind, units, stride],
      work,
      scratch: 64,
    },
  ];
  if (isPrepared) {
    jobs.unshift({ kernel: PREPARE_X, pieces: 1, ints: [x, space, kind, m, k, units, stride], work: m * k });
  }
  return jobs;
}

interface Product {
  /** [m, k], or [k, m] if transposed; f32, rows `ld` apart. */
  readonly a: { readonly address: number; readonly ld: number; readonly transposed: boolean };
  /** [k, n], or a weight [n, k] in panels; any type. */
  readonly b: {
    readonly address: number;
    readonly kind: Kind;
    readonly scales: number;
    readonly inPanels: boolean;
  };
  readonly bias: number;
  readonly c: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** Rows of C that are computed at a time, so that the packed A stays small. */
function rowsAtOnce(m: number, k: number): number {
  return Math.min(roundUp(m, TILE_M), Math.max(260, roundUp(PACKED / k, 130)));
}

/** C = A B + bias, in chunks of rows of C. `packed`: room for A's rows of a chunk. */
function productJobs(runtime: Runtime, { a, b, bias, c, m, n, k }: Product, packed: number): Job[] {
  const chunk = rowsAtOnce(m, k);
  const blocks = ceilDiv(n, BLOCK_N);
  const jobs: Job[] = [];
  for (let row = 0; row < m; row += chunk) {
    const rows = Math.min(chunk, m - row);
    // Enough pieces for the threads where C is narrow; each may pack its part of B again, so not too many.
    const each = blocks >= 16 ? rows : Math.max(60, roundUp((rows * blocks) / 16, TILE_M));
    jobs.push(
      {
        kernel: a.transposed ? PACK_COLUMNS : PACK_ROWS,
        pieces: ceilDiv(rows, PACK_M),
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
          b.address,
          b.scales,
          b.kind,
          Number(b.inPanels),
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
