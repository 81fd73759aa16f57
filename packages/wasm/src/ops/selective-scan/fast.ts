import type {
  SelectiveScanDims,
  SelectiveScanGradients,
  SelectiveScanInputs,
  Tensor,
} from '@mamba-ts/backend';
import { COLUMN_SUMS, SCAN, SCAN_BACKWARD, SCAN_STEP } from '../../kernel-ids.js';
import type { Job, Runtime } from '../../runtime.js';
import type { WasmTensor } from '../../tensor.js';
import { addressOf, ceilDiv, real } from '../op.js';
import { copyRuns } from '../split-concat.js';

/*
 * Real A, Euler's B: assembly/scan.ts, scan-backward.ts and scan-step.ts.
 */

/** Channels of a piece, forward and in a step, and backward. */
const CHANNELS = 16;
const CHANNELS_BACKWARD = 64;
const BLOCK_T = 64;
/** Bytes of BLOCK_T vectors, and of one state's numbers over a block. */
const RUN = 16 * BLOCK_T;
const HISTORY = RUN + 64;

/** What the kernels of a sequence and of a step share. */
type CommonInputs = Pick<
  SelectiveScanInputs,
  'u' | 'delta' | 'A' | 'B' | 'C' | 'D' | 'z' | 'deltaBias' | 'softplus' | 'discretization'
>;

export interface FastScanInputs extends CommonInputs {
  readonly initialState?: Tensor | undefined;
  readonly seqIdx?: Tensor | undefined;
}

/** Groups of B or C as the kernels want them: 0 for a constant. */
function groupsOf({ kind, groups }: SelectiveScanDims['B']): number {
  return kind === 'constant' ? 0 : groups;
}

/** Whether the channels that share a row of B (and of C) come in fours, the lanes of a vector. */
function inLanes({ B, C, channels }: SelectiveScanDims): boolean {
  return [groupsOf(B), groupsOf(C)].every((groups) => groups <= 1 || (channels / groups) % 4 === 0);
}

export function isFast(dims: SelectiveScanDims): boolean {
  return !dims.complex && dims.discretization === 'mamba' && inLanes(dims);
}

/** The groups that a piece of the backward pass must not straddle: those of the finer of B and C. 0 if they do not nest. */
function nestedGroups({ B, C }: SelectiveScanDims): number {
  const [few, many] = [Math.max(1, groupsOf(B)), Math.max(1, groupsOf(C))].sort((a, b) => a - b);
  return many % few === 0 ? many : 0;
}

export function isFastBackward(dims: SelectiveScanDims): boolean {
  return isFast(dims) && nestedGroups(dims) > 0;
}

/** Arguments 0 to 17 of the kernels, with places 10 and 11 for what differs. */
function argumentsOf(
  { u, delta, A, B, C, D, z, deltaBias }: CommonInputs,
  initialState: Tensor | undefined,
  seqIdx: Tensor | undefined,
  dims: SelectiveScanDims,
  ten: number,
  eleven: number,
): number[] {
  return [
    addressOf(u),
    addressOf(delta),
    real(A).address,
    real(B).address,
    real(C).address,
    addressOf(D),
    addressOf(z),
    addressOf(deltaBias),
    addressOf(initialState),
    addressOf(seqIdx),
    ten,
    eleven,
    dims.length,
    dims.channels,
    dims.stateSize,
    groupsOf(dims.B),
    groupsOf(dims.C),
    Number(dims.softplus),
  ];
}

export function scan(
  runtime: Runtime,
  inputs: FastScanInputs,
  dims: SelectiveScanDims,
): { y: WasmTensor; lastState: WasmTensor } {
  const { batch, length, channels, stateSize } = dims;
  const y = runtime.empty(inputs.u.shape);
  const lastState = runtime.empty([batch, channels, stateSize]);
  runtime.run({
    kernel: SCAN,
    pieces: batch * ceilDiv(channels, CHANNELS),
    ints: argumentsOf(inputs, inputs.initialState, inputs.seqIdx, dims, y.address, lastState.address),
    work: batch * length * channels * stateSize * 4,
    scratch: (CHANNELS / 4) * (3 * RUN + 4 * 16 * stateSize) + 64 + 2 * HISTORY,
  });
  return { y, lastState };
}

/** `state` is updated in place. */
export function scanStep(
  runtime: Runtime,
  inputs: CommonInputs,
  state: Tensor,
  dims: SelectiveScanDims,
): WasmTensor {
  const y = runtime.empty(inputs.u.shape);
  runtime.run(
    scanStepJob({
      u: addressOf(inputs.u),
      delta: addressOf(inputs.delta),
      A: real(inputs.A).address,
      B: real(inputs.B).address,
      C: real(inputs.C).address,
      D: addressOf(inputs.D),
      z: addressOf(inputs.z),
      deltaBias: addressOf(inputs.deltaBias),
      state: addressOf(state),
      y: y.address,
      batch: dims.batch,
      channels: dims.channels,
      states: dims.stateSize,
      bGroups: groupsOf(dims.B),
      cGroups: groupsOf(dims.C),
      softplus: dims.softplus,
      zStride: dims.channels,
      bStride: groupsOf(dims.B) * dims.stateSize,
      cStride: groupsOf(dims.C) * dims.stateSize,
      each: CHANNELS * ceilDiv(dims.channels, CHANNELS * 2 * runtime.threads),
    }),
  );
  return y;
}

/** Addresses, and numbers of elements. */
export interface ScanStep {
  readonly u: number;
  readonly delta: number;
  readonly A: number;
  readonly B: number;
  readonly C: number;
  readonly D: number;
  readonly z: number;
  readonly deltaBias: number;
  readonly state: number;
  readonly y: number;
  readonly batch: number;
  readonly channels: number;
  readonly states: number;
  /** 0 for a constant. */
  readonly bGroups: number;
  readonly cGroups: number;
  readonly softplus: boolean;
  /** How far apart rows are. */
  readonly zStride: number;
  readonly bStride: number;
  readonly cStride: number;
  /** Channels of a piece, a multiple of 16. */
  readonly each: number;
}

export function scanStepJob(step: ScanStep): Job {
  const { batch, channels, states } = step;
  return {
    kernel: SCAN_STEP,
    pieces: ceilDiv(channels, step.each),
    ints: [
      step.u,
      step.delta,
      step.A,
      step.B,
      step.C,
      step.D,
      step.z,
      step.deltaBias,
      step.state,
      0,
      step.y,
      0,
      batch,
      channels,
      states,
      step.bGroups,
      step.cGroups,
      Number(step.softplus),
      step.zStride,
      step.bStride,
      step.cStride,
      step.each,
    ],
    work: batch * channels * states * 4,
    scratch: 128 + 2 * CHANNELS * 16 * ceilDiv(states, 4),
  };
}

export function scanBackward(
  runtime: Runtime,
  inputs: FastScanInputs,
  { dy, dLastState }: { dy: Tensor; dLastState?: Tensor | undefined },
  dims: SelectiveScanDims,
): SelectiveScanGradients {
  const { batch, length, channels, stateSize } = dims;
  const pieceGroups = nestedGroups(dims);
  const blocks = ceilDiv(channels / pieceGroups, CHANNELS_BACKWARD);
  const piecesOfRow = pieceGroups * blocks;
  const du = runtime.empty(inputs.u.shape);
  const ddelta = runtime.empty(inputs.u.shape);
  const dz = inputs.z && runtime.empty(inputs.u.shape);
  const dInitialState = inputs.initialState && runtime.empty([batch, channels, stateSize]);
  const dA = runtime.empty([channels, stateSize]);
  const dB = runtime.empty(real(inputs.B).shape);
  const dC = runtime.empty(real(inputs.C).shape);
  const dD = runtime.empty([channels]);
  const dDeltaBias = runtime.empty([channels]);

  /** Floats that the pieces write of dB or dC. */
  const ownSize = (groups: number) =>
    groups === 0 ? batch * channels * stateSize : batch * piecesOfRow * length * stateSize;
  const [bGroups, cGroups] = [groupsOf(dims.B), groupsOf(dims.C)];
  const perRow = batch * channels;
  const sizes = [perRow * stateSize, perRow, perRow, ownSize(bGroups), ownSize(cGroups)].map(
    (floats) => 64 * ceilDiv(floats, 16),
  );
  runtime.withMemory(
    sizes.reduce((sum, size) => sum + size, 0),
    (first) => {
      let next = first;
      const own = sizes.map((size) => {
        next += size;
        return next - size;
      });
      const groupsOfPiece = ceilDiv(Math.min(CHANNELS_BACKWARD, channels / pieceGroups), 4);
      runtime.run({
        kernel: SCAN_BACKWARD,
        pieces: batch * piecesOfRow,
        ints: [
          ...argumentsOf(
            inputs,
            inputs.initialState,
            inputs.seqIdx,
            dims,
            addressOf(dy),
            addressOf(dLastState),
          ),
          ...[du, ddelta, dz, dInitialState].map(addressOf),
          ...own,
          pieceGroups,
        ],
        work: batch * length * channels * stateSize * 12,
        scratch:
          4 * 7 * RUN +
          2 * HISTORY +
          64 +
          2 * stateSize * RUN +
          groupsOfPiece * (8 * 16 * stateSize + 32) +
          ceilDiv(length, BLOCK_T) * groupsOfPiece * 16 * stateSize,
      });
      sumRows(runtime, own[0], batch, channels * stateSize, dA.address);
      sumRows(runtime, own[1], batch, channels, dD.address);
      sumRows(runtime, own[2], batch, channels, dDeltaBias.address);
      for (const [groups, from, to] of [
        [bGroups, own[3], dB],
        [cGroups, own[4], dC],
      ] as const) {
        if (groups === 0) sumRows(runtime, from, batch, channels * stateSize, to.address);
        else sumPieces(runtime, { from, to: to.address, groups, rows: piecesOfRow / groups, dims });
      }
    },
  );
  if (inputs.D === undefined) dD.dispose();
  if (inputs.deltaBias === undefined) dDeltaBias.dispose();
  return {
    du,
    ddelta,
    dA,
    dB,
    dC,
    ...(inputs.D && { dD }),
    ...(dz && { dz }),
    ...(inputs.deltaBias && { dDeltaBias }),
    ...(dInitialState && { dInitialState }),
  };
}

/** to[c] = sum over r of from[r][c], for each of `matrices` [rows, columns]. */
function sumRows(
  runtime: Runtime,
  from: number,
  rows: number,
  columns: number,
  to: number,
  matrices = 1,
): void {
  runtime.run({
    kernel: COLUMN_SUMS,
    pieces: matrices * ceilDiv(columns, 16),
    ints: [from, rows, columns, to],
    work: (matrices * rows * columns) / 4,
  });
}

/** From the pieces' [B, G, rows, L, N] to [B, L, G, N]. */
function sumPieces(
  runtime: Runtime,
  {
    from,
    to,
    groups,
    rows,
    dims,
  }: { from: number; to: number; groups: number; rows: number; dims: SelectiveScanDims },
): void {
  const { batch, length, stateSize } = dims;
  const columns = length * stateSize;
  if (groups === 1) {
    sumRows(runtime, from, rows, columns, to, batch);
    return;
  }
  runtime.withMemory(4 * batch * groups * columns, (sums) => {
    sumRows(runtime, from, rows, columns, sums, batch * groups);
    const bytes = 4 * stateSize;
    for (let b = 0; b < batch; b++) {
      for (let g = 0; g < groups; g++) {
        copyRuns(runtime, {
          from: sums + (b * groups + g) * length * bytes,
          fromStride: bytes,
          to: to + (b * length * groups + g) * bytes,
          toStride: groups * bytes,
          runs: length,
          bytes,
        });
      }
    }
  });
}
