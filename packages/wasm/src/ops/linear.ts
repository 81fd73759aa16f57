import { checkLinear, checkLinearBackward, INT8_BLOCK } from '@mamba-ts/backend';
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
/**
 * Bytes of weights up to which a thread's share in a matrix-vector product is one piece: a stream is read at full speed only after a
 * while. And bytes of a piece where the shares are larger, and at least: small enough that the faster core takes some more of them.
 */
export const STREAM = 1 << 20;
const PIECE = 1 << 18;
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

/** Whether the weights are streamed once, for all rows of x. */
export function hasFewRows({ weight, m }: Pick<Linear, 'weight' | 'm'>): boolean {
  return m <= (weight.kind === Kind.f32 ? FEW_ROWS : FEW_ROWS_NARROW);
}

/** Bytes that the jobs of a product need for themselves. */
export function workspace({ weight, m, k }: Pick<Linear, 'weight' | 'm' | 'k'>): number {
  if (!hasFewRows({ weight, m })) return 4 * rowsAtOnce(m, k) * k;
  return m * preparedRow(k);
}

function isPrepared({ kind }: WasmTensor): boolean {
  return kind === Kind.f16 || kind === Kind.int8;
}

/** Bytes of a row of x that is prepared. */
function preparedRow(k: number): number {
  return 4 * roundUp(k, INT8_BLOCK);
}

export function linearJobs(runtime: Runtime, product: Linear, space: number): Job[] {
  return [...prepareJobs(product, space), ...multiplyJobs(runtime, product, space)];
}

/** Makes of x in `space` what `multiplyJobs` reads, if it is not x itself. `each`: columns of a piece, whole blocks of int8. */
export function prepareJobs(product: Linear, space: number, each = roundUp(product.k, INT8_BLOCK)): Job[] {
  const { x, stride, weight, m, k } = product;
  if (!hasFewRows(product) || !isPrepared(weight)) return [];
  return [
    {
      kernel: PREPARE_X,
      pieces: ceilDiv(k, each),
      ints: [x, space, weight.kind, m, k, stride, each],
      work: m * k,
    },
  ];
}

/** `rows` of y are in a piece, whole panels, of the first `part` of them; each piece has its share of the rest too. */
export interface Split {
  readonly rows: number;
  readonly part: number;
}

export function multiplyJobs(runtime: Runtime, product: Linear, space: number, split?: Split): Job[] {
  const { x, stride, weight, bias, y, m, n, k } = product;
  if (hasFewRows(product)) return [matvecJob(product, space, split ?? splitOf(runtime, product))];
  const a = { address: x, ld: stride, transposed: false };
  const b = { address: weight.panels, kind: weight.kind, scales: weight.scales, inPanels: true };
  return productJobs(runtime, { a, b, bias, c: y, m, n, k }, space);
}

function splitOf({ threads }: Runtime, { weight: { bytes, kind }, n }: Linear): Split {
  const height = panelRows(kind);
  const share = bytes / threads;
  const piece = share > STREAM ? PIECE : Math.max(SHORT, share);
  return { rows: height * Math.ceil(ceilDiv(n, height) * Math.min(1, piece / bytes)), part: n };
}

function matvecJob({ x, stride, weight, bias, y, m, n, k }: Linear, space: number, split: Split): Job {
  const { kind } = weight;
  const height = panelRows(kind);
  const pieces = ceilDiv(split.part, split.rows);
  const part = ceilDiv(split.part, height);
  const rest = ceilDiv(ceilDiv(n, height) - part, pieces);
  return {
    kernel: MATVEC,
    pieces,
    ints: [
      isPrepared(weight) ? space : x,
      weight.panels,
      bias,
      y,
      m,
      n,
      k,
      split.rows / height,
      kind,
      stride,
      part,
      rest,
    ],
    work: (m * n * k) / 4,
    scratch: 64,
  };
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
    const each = Math.max(60, roundUp(rows / ceilDiv(16, blocks), TILE_M));
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
