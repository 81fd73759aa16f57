import { checkLinear, checkLinearBackward, type LinearInputs, type Tensor } from '@mamba-ts/backend';
import { fold, type Gpu } from '../gpu.js';
import { layoutOf } from '../layout.js';
import type { Loan } from '../pool.js';
import type { GpuTensor, Part } from '../tensor.js';
import { columnSum } from './reductions.js';
import type { Rows } from './rows.js';
import { weightSnippet } from './weights.js';

/** Up to here reading the weights is the work, and a workgroup for each few outputs reads them best. */
const MATVEC_ROWS = 16;

export function linear(gpu: Gpu, inputs: LinearInputs): Tensor {
  const { rows, inputs: columns, outputs, shape } = checkLinear(inputs);
  const weight = gpu.get(inputs.weight);
  const x = quads(gpu, gpu.get(inputs.x), columns);
  const y = gpu.make(shape);
  const { pitch } = layoutOf(weight.shape, weight.dtype);
  for (const part of weight.parts) {
    // A part of the weight's rows gives as many columns of y.
    const bias = inputs.bias && sliceOf(gpu, inputs.bias, part);
    const shared = { weight: part, pitch, weightType: weight.dtype, x, bias, y: y.loan, yOffset: part.row };
    if (rows <= MATVEC_ROWS) matvec(gpu, { ...shared, rows, columns, outputs, count: part.rows });
    else {
      gemm(gpu, { ...shared, m: rows, n: part.rows, k: columns, a: x, cStride: outputs });
    }
  }
  return y;
}

export function linearBackward(
  gpu: Gpu,
  inputs: LinearInputs,
  grads: { dy: Tensor },
): { dx: Tensor; dweight: Tensor; dbias?: Tensor } {
  const { rows, inputs: columns, outputs } = checkLinearBackward(inputs, grads);
  const weight = gpu.get(inputs.weight);
  const { pitch } = layoutOf(weight.shape, weight.dtype);
  const dx = gpu.make(inputs.x.shape);
  const dweight = gpu.make([outputs, columns]);
  // As operand A, dy starts at multiples of four for each part of the weight.
  const dy = gpu.get(grads.dy);
  weight.parts.forEach((part, i) => {
    gemm(gpu, {
      weight: part,
      pitch,
      weightType: weight.dtype,
      a: quads(gpu, columnsOf(gpu, dy, part), part.rows),
      m: rows,
      n: columns,
      k: part.rows,
      y: dx.loan,
      cStride: columns,
      acrossB: true,
      add: i > 0,
    });
  });
  // dweight = dy^T x: its own parts, which need not be those of a weight of another type.
  const x = gpu.flat(inputs.x);
  for (const part of dweight.parts) {
    gemm(gpu, {
      weight: { loan: x, scales: undefined },
      pitch: columns,
      weightType: 'f32',
      a: quads(gpu, columnsOf(gpu, dy, part), part.rows),
      m: part.rows,
      n: columns,
      k: rows,
      y: part.loan,
      cStride: columns,
      acrossA: true,
      acrossB: true,
    });
  }
  if (!inputs.bias) return { dx, dweight };
  const dbias = gpu.make([outputs]);
  columnSum(gpu, gpu.flat(grads.dy), rows, outputs, dbias.loan);
  return { dx, dweight, dbias };
}

/** Rows whose elements can be read four at a time: offset, stride and length are multiples of 4; a copy with zeros if not. */
function quads(gpu: Gpu, x: GpuTensor, columns: number): Rows {
  if (x.offset % 4 === 0 && x.stride % 4 === 0 && columns % 4 === 0) return x;
  const { rows } = layoutOf(x.shape, x.dtype);
  const padded = gpu.make([rows, 4 * Math.ceil(columns / 4)]);
  gpu.copyRows(x, padded);
  return padded;
}

/** The columns of a [rows, outputs] tensor that belong to a part of the weight's rows. */
function columnsOf(gpu: Gpu, x: GpuTensor, { row, rows }: Part): GpuTensor {
  const outputs = x.shape.at(-1)!;
  if (rows === outputs) return x;
  return gpu.view(x, [...x.shape.slice(0, -1), rows], row, x.stride);
}

function sliceOf(gpu: Gpu, bias: Tensor, { row, rows }: Part): Loan {
  if (rows === bias.shape[0]) return gpu.flat(bias);
  return gpu.flat(gpu.view(gpu.get(bias), [rows], row, rows));
}

type Weight = Pick<Part, 'loan' | 'scales'>;

/** Threads of a workgroup that adds up a row: up to a limit one for each eight numbers, so that all loads are on their way at once. */
export function threadsOf(columns: number): number {
  return columns > 1024 ? 256 : columns > 512 ? 128 : 64;
}

interface MatvecCall {
  weight: Weight;
  weightType: GpuTensor['dtype'];
  pitch: number;
  x: Rows;
  rows: number;
  columns: number;
  bias: Loan | undefined;
  y: Loan;
  yOffset: number;
  outputs: number;
  /** Outputs of this part. */
  count: number;
}

function matvec(gpu: Gpu, call: MatvecCall): void {
  const { weight, weightType, pitch, x, rows, columns, bias, y, yOffset, outputs, count } = call;
  const bind = [weight.loan, weight.scales, x.loan, bias, y];
  const params = [count, columns, pitch, rows, x.offset, x.stride, yOffset, outputs, bias ? 1 : 0];
  const snippet = weightSnippet(weightType, pitch);
  const batch = rows === 1 ? 1 : rows === 2 ? 2 : 4;
  // Few outputs: a workgroup each, so that the device has something to do. Many: some share the loads of x.
  const each = count < 512 ? 1 : count < 4096 ? 2 : 4;
  const [across, down] = fold(Math.ceil(count / each));
  gpu.engine.run('matvec', {
    snippets: [gpu.engine.sumSnippet, snippet],
    constants: { WG: threadsOf(columns), ROWS: each, BATCH: batch },
    bind,
    params,
    groups: [across, Math.ceil(rows / batch), down],
  });
}

interface GemmCall {
  weight: Weight;
  weightType: GpuTensor['dtype'];
  pitch: number;
  a: Rows;
  m: number;
  n: number;
  k: number;
  bias?: Loan | undefined;
  y: Loan;
  yOffset?: number;
  cStride: number;
  acrossA?: boolean;
  acrossB?: boolean;
  add?: boolean;
}

/** The least of k that is worth a workgroup of its own: less, and adding up the slices costs as much. */
const SLICE = 512;
/** Workgroups that keep a large device busy. */
const ENOUGH_GROUPS = 256;

/** Largest tile first; a smaller one where that leaves most of a device idle. */
const TILES = [
  { WIDE: true, THREADS: 16, side: 128, enough: 128 },
  { WIDE: true, THREADS: 8, side: 64, enough: 64 },
  { WIDE: false, THREADS: 8, side: 32, enough: 0 },
] as const;

function gemm(gpu: Gpu, call: GemmCall): void {
  const { weight, weightType, pitch, a, m, n, k, bias, yOffset = 0 } = call;
  const count = (side: number) => Math.ceil(m / side) * Math.ceil(n / side);
  const whole = !bias && !call.add && yOffset === 0 && call.cStride === n;
  const most = whole ? Math.ceil(k / SLICE) : 1;
  const fits = ({ side, enough }: (typeof TILES)[number]) =>
    count(side) * most >= enough && (most === 1 || Math.min(m, n) >= side);
  const { WIDE, THREADS, side } = TILES.find(fits) ?? TILES.at(-1)!;
  const slices = Math.min(most, Math.ceil(ENOUGH_GROUPS / count(side)));
  const y = slices === 1 ? call.y : gpu.make([slices, m, n]).loan;
  gpu.engine.run('gemm', {
    snippets: [weightSnippet(weightType, pitch)],
    constants: { WIDE, THREADS, A_ACROSS: call.acrossA ?? false, B_ACROSS: call.acrossB ?? false },
    bind: [weight.loan, weight.scales, a.loan, bias, y],
    params: [
      m,
      n,
      k,
      a.offset,
      a.stride,
      pitch,
      yOffset,
      call.cStride,
      bias ? 1 : 0,
      call.add ? 1 : 0,
      16 * Math.ceil(k / slices / 16),
    ],
    groups: [Math.ceil(n / side), Math.ceil(m / side), slices],
  });
  if (slices > 1) columnSum(gpu, y, slices, m * n, call.y);
}
