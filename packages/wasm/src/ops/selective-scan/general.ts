import {
  type CoefficientForm,
  isComplex,
  type MaybeComplex,
  type SelectiveScanDims,
  type SelectiveScanGradients,
  type SelectiveScanInputs,
  type Tensor,
} from '@mamba-ts/backend';
import { GENERAL_SCAN, GENERAL_SCAN_BACKWARD, SUM_TO_F32 } from '../../kernel-ids.js';
import type { Runtime } from '../../runtime.js';
import type { WasmTensor } from '../../tensor.js';
import { zero } from '../elementwise.js';
import { addressOf, ceilDiv } from '../op.js';

/*
 * Complex A, zero-order hold, and groups that do not fit lanes: assembly/general-scan.ts.
 */

const CHANNELS = 4;
const BLOCK_T = 128;

/** Where the rows of B or C are, in elements. */
interface Layout {
  readonly batchStep: number;
  readonly step: number;
  /** Channels that share a row. */
  readonly share: number;
  /** Elements of one row of the batch; of all, if constant. */
  readonly size: number;
  /** How far behind the real part's start the imaginary part's is, in one tensor. */
  readonly between: number;
}

function layoutOf({ kind, groups, packing }: CoefficientForm, dims: SelectiveScanDims): Layout {
  const { length, channels, stateSize } = dims;
  if (kind === 'constant') {
    return { batchStep: 0, step: 0, share: 1, size: channels * stateSize, between: 0 };
  }
  const row = groups * stateSize;
  const step = packing === 'interleaved' ? 2 * row : row;
  return { batchStep: length * step, step, share: channels / groups, size: length * step, between: row };
}

/** Addresses of the real and the imaginary part, 0 for none. */
function parts(x: MaybeComplex | undefined): [number, number] {
  if (x === undefined) return [0, 0];
  return isComplex(x) ? [addressOf(x.re), addressOf(x.im)] : [addressOf(x), 0];
}

function coefficient(x: MaybeComplex, form: CoefficientForm, dims: SelectiveScanDims): number[] {
  const layout = layoutOf(form, dims);
  const [re, im] = parts(x);
  const behind = form.packing === 'interleaved' ? re + 4 * layout.between : im;
  return [re, behind, layout.batchStep, layout.step, layout.share];
}

function argumentsOf(inputs: SelectiveScanInputs, dims: SelectiveScanDims): number[] {
  return [
    addressOf(inputs.u),
    addressOf(inputs.delta),
    ...parts(inputs.A),
    addressOf(inputs.D),
    addressOf(inputs.z),
    addressOf(inputs.deltaBias),
    ...parts(inputs.initialState),
    addressOf(inputs.seqIdx),
    dims.length,
    dims.channels,
    dims.stateSize,
    Number(dims.softplus),
    Number(dims.discretization === 'zoh'),
    ...coefficient(inputs.B, dims.B, dims),
    ...coefficient(inputs.C, dims.C, dims),
  ];
}

/** An empty tensor of the shape, complex if `complex`. */
function emptyLike(runtime: Runtime, shape: readonly number[], complex: boolean): MaybeComplex {
  return complex ? { re: runtime.empty(shape), im: runtime.empty(shape) } : runtime.empty(shape);
}

export function generalScan(
  runtime: Runtime,
  inputs: SelectiveScanInputs,
  dims: SelectiveScanDims,
  inPlace?: MaybeComplex,
): { y: WasmTensor; lastState: MaybeComplex } {
  const { batch, length, channels, stateSize, complex } = dims;
  const y = runtime.empty(inputs.u.shape);
  const lastState = inPlace ?? emptyLike(runtime, [batch, channels, stateSize], complex);
  runtime.run({
    kernel: GENERAL_SCAN,
    pieces: batch * ceilDiv(channels, CHANNELS),
    ints: [...argumentsOf(inputs, dims), y.address, ...parts(lastState)],
    work: batch * length * channels * stateSize * 100,
    scratch: 16 * stateSize,
  });
  return { y, lastState };
}

export function generalScanBackward(
  runtime: Runtime,
  inputs: SelectiveScanInputs,
  { dy, dLastState }: { dy: Tensor; dLastState?: MaybeComplex | undefined },
  dims: SelectiveScanDims,
): SelectiveScanGradients {
  const { batch, length, channels, stateSize, complex } = dims;
  const du = runtime.empty(inputs.u.shape);
  const ddelta = runtime.empty(inputs.u.shape);
  const dz = inputs.z && runtime.empty(inputs.u.shape);
  const dInitialState = inputs.initialState && emptyLike(runtime, [batch, channels, stateSize], complex);
  const rows = batch * channels;
  const b = layoutOf(dims.B, dims);
  const c = layoutOf(dims.C, dims);
  // Sums in f64: dA, dD, ddeltaBias, then dB and dC, each with its imaginary part if that is a tensor of its own.
  const counts = [
    2 * rows * stateSize,
    rows,
    rows,
    batch * b.size,
    dims.B.packing === 'pair' ? batch * b.size : 0,
    batch * c.size,
    dims.C.packing === 'pair' ? batch * c.size : 0,
  ];
  const total = counts.reduce((sum, count) => sum + count, 0);
  return runtime.withMemory(8 * total, (first) => {
    zero(runtime, first, 2 * total);
    let next = first;
    const [a, d, bias, bRe, bIm, cRe, cIm] = counts.map((count) => {
      next += 8 * count;
      return next - 8 * count;
    });
    const imaginary = (form: CoefficientForm, layout: Layout, re: number, im: number) =>
      ({ real: 0, pair: im, interleaved: re + 8 * layout.between })[form.packing];
    runtime.run({
      kernel: GENERAL_SCAN_BACKWARD,
      pieces: batch,
      ints: [
        ...argumentsOf(inputs, dims),
        addressOf(dy),
        ...parts(dLastState),
        ...[du, ddelta, dz].map(addressOf),
        ...parts(dInitialState),
        a,
        d,
        bias,
        bRe,
        imaginary(dims.B, b, bRe, bIm),
        b.size,
        cRe,
        imaginary(dims.C, c, cRe, cIm),
        c.size,
      ],
      work: batch * length * channels * stateSize * 300,
      scratch: 16 * stateSize * (ceilDiv(length, BLOCK_T) + BLOCK_T + 3) + 8 * BLOCK_T,
    });
    const sum = (shape: readonly number[], from: number, copies: number, step = 1, offset = 0) =>
      sumToF32(runtime, { shape, from, copies, step, offset });
    const matrix = (offset: number) => sum([channels, stateSize], a, batch, 2, offset);
    const gradient = (x: MaybeComplex, form: CoefficientForm, re: number, im: number): MaybeComplex => {
      const copies = form.kind === 'constant' ? batch : 1;
      if (!isComplex(x)) return sum(x.shape, re, copies);
      return { re: sum(x.re.shape, re, copies), im: sum(x.im.shape, im, copies) };
    };
    return {
      du,
      ddelta,
      dA: complex ? { re: matrix(0), im: matrix(1) } : matrix(0),
      dB: gradient(inputs.B, dims.B, bRe, bIm),
      dC: gradient(inputs.C, dims.C, cRe, cIm),
      ...(inputs.D && { dD: sum([channels], d, batch) }),
      ...(dz && { dz }),
      ...(inputs.deltaBias && { dDeltaBias: sum([channels], bias, batch) }),
      ...(dInitialState && { dInitialState }),
    };
  });
}

/** Sums of f64 over `copies`, every `step`th from `offset` on, as an f32 tensor. */
function sumToF32(
  runtime: Runtime,
  sums: { shape: readonly number[]; from: number; copies: number; step: number; offset: number },
): WasmTensor {
  const y = runtime.empty(sums.shape);
  runtime.run({
    kernel: SUM_TO_F32,
    pieces: ceilDiv(y.size, 1024),
    ints: [sums.from, sums.copies, y.size, y.address, sums.step, sums.offset],
    work: y.size * sums.copies,
  });
  return y;
}
