import { isStorageType, MambaError, type Tensor } from '@mamba-ts/backend';
import { float, MAX_UNIFORM } from '../engine.js';
import type { Gpu } from '../gpu.js';
import { layoutOf } from '../layout.js';
import type { GpuTensor } from '../tensor.js';
import { causalConv1dStep } from './causal-conv1d.js';
import { linear } from './linear.js';
import { rmsNorm } from './norms.js';
import { selectiveScanStep } from './scan/step.js';
import { split } from './split-concat.js';
import { weightSnippet } from './weights.js';

/** One token through a whole Mamba block; weights named as in the official state dict. */
export interface MambaStepInputs {
  /** [B, dModel] */
  x: Tensor;
  /** [B, dModel]: added to x first */
  residual?: Tensor | undefined;
  /** [dModel] */
  normWeight: Tensor;
  eps: number;
  /** [2 dInner, dModel], x before z; f32, f16, bf16 or int8, as the other projections */
  inProj: Tensor;
  /** [dInner, W] */
  convWeight: Tensor;
  /** [dInner] */
  convBias?: Tensor | undefined;
  /** [B, W-1, dInner], oldest first: updated in place */
  convState: Tensor;
  /** [dtRank + 2 N, dInner]: Δ, B, C */
  xProj: Tensor;
  /** [dInner, dtRank] */
  dtProj: Tensor;
  /** [dInner] */
  dtBias: Tensor;
  /** [dInner, N], real: -exp(A_log) */
  A: Tensor;
  /** [dInner] */
  D?: Tensor | undefined;
  /** [B, dInner, N]: updated in place */
  state: Tensor;
  /** [dModel, dInner] */
  outProj: Tensor;
}

interface Dims {
  batch: number;
  model: number;
  channels: number;
  width: number;
  rank: number;
  states: number;
}

/** Beyond, weights are better read once for all rows, as `linear` does. */
const MOST_ROWS = 8;

/**
 * residual' = x + residual; y = out_proj(mixer(rmsNorm(residual'))), one token, both states in place: four dispatches instead of
 * seven. Shapes that the kernels do not take (sizes that are no multiples of four, many rows) go through the single ops.
 */
export function mambaStep(gpu: Gpu, inputs: MambaStepInputs): { y: Tensor; residual: Tensor } {
  const dims = checkMambaStep(inputs);
  return isFusable(gpu, inputs, dims) ? fused(gpu, inputs, dims) : composed(gpu, inputs, dims);
}

function isFusable(gpu: Gpu, inputs: MambaStepInputs, dims: Dims): boolean {
  const { batch, model, channels, states, width } = dims;
  const whole = [inputs.inProj, inputs.dtProj].every((tensor) => gpu.get(tensor).parts.length === 1);
  const quads = [model, channels, states].every((size) => size % 4 === 0);
  return batch <= MOST_ROWS && width > 1 && quads && whole && 4 * Math.max(model, channels) <= MAX_UNIFORM;
}

function fused(gpu: Gpu, inputs: MambaStepInputs, dims: Dims): { y: Tensor; residual: Tensor } {
  const { batch, model, channels, width, rank, states } = dims;
  const { residual, convBias, D } = inputs;
  const convState = gpu.own(inputs.convState).loan;
  const state = gpu.own(inputs.state).loan;
  const total = residual && gpu.make([batch, model], 'f32', 'residual');
  const uz = gpu.make([batch, 2 * channels], 'f32', 'u and z');
  const inProj = weightOf(gpu, inputs.inProj);
  gpu.engine.run('step-in', {
    snippets: [gpu.engine.sumSnippet, inProj.snippet],
    constants: { ROWS: 4, W: width, NORM: model / 4, BIAS: convBias ? channels / 4 : 1 },
    bind: [
      inProj.loan,
      inProj.scales,
      gpu.flat(inputs.x),
      gpu.flat(residual),
      gpu.flat(inputs.convWeight),
      convState,
      uz.loan,
      total?.loan,
      gpu.flat(inputs.normWeight),
      gpu.flat(convBias),
    ],
    params: [
      2 * channels,
      model,
      inProj.pitch,
      channels,
      float(inputs.eps),
      residual ? 1 : 0,
      convBias ? 1 : 0,
    ],
    groups: [Math.ceil(channels / 2), batch],
  });

  const u = gpu.view(uz, [batch, channels], 0, 2 * channels);
  const projected = linear(gpu, { x: u, weight: inputs.xProj });

  const dtProj = weightOf(gpu, inputs.dtProj);
  const mixed = gpu.make([batch, channels], 'f32', 'mixer');
  gpu.engine.run('step-scan', {
    snippets: [dtProj.snippet],
    constants: { BIAS: channels / 4, SKIP: D ? channels / 4 : 1 },
    bind: [
      dtProj.loan,
      dtProj.scales,
      gpu.flat(projected),
      gpu.flat(inputs.A),
      uz.loan,
      state,
      mixed.loan,
      gpu.flat(inputs.dtBias),
      gpu.flat(D),
    ],
    params: [channels, states, rank, dtProj.pitch, rank + 2 * states, D ? 1 : 0],
    groups: [Math.ceil(channels / 16), batch],
  });
  return { y: linear(gpu, { x: mixed, weight: inputs.outProj }), residual: total ?? inputs.x };
}

function weightOf(gpu: Gpu, weight: Tensor) {
  const tensor: GpuTensor = gpu.get(weight);
  const { pitch } = layoutOf(tensor.shape, tensor.dtype);
  const loan = isStorageType(tensor.dtype) ? tensor.loan : gpu.flat(tensor);
  return { loan, scales: tensor.parts[0]!.scales, pitch, snippet: weightSnippet(tensor.dtype, pitch) };
}

function composed(
  gpu: Gpu,
  inputs: MambaStepInputs,
  { channels, rank, states }: Dims,
): { y: Tensor; residual: Tensor } {
  const { x, residual, normWeight, eps, convBias } = inputs;
  const norm = rmsNorm(gpu, { x, residual, weight: normWeight, eps });
  const xz = linear(gpu, { x: norm.y, weight: inputs.inProj });
  const [input, z] = split(gpu, { x: xz, sizes: [channels, channels], axis: 1 });
  const u = causalConv1dStep(gpu, {
    x: input!,
    weight: inputs.convWeight,
    bias: convBias,
    activation: 'silu',
    state: inputs.convState,
  });
  const projected = linear(gpu, { x: u, weight: inputs.xProj });
  const [dt, B, C] = split(gpu, { x: projected, sizes: [rank, states, states], axis: 1 });
  const y = selectiveScanStep(gpu, {
    u,
    delta: linear(gpu, { x: dt!, weight: inputs.dtProj }),
    A: inputs.A,
    B: B!,
    C: C!,
    D: inputs.D,
    z,
    deltaBias: inputs.dtBias,
    softplus: true,
    state: inputs.state,
  });
  return { y: linear(gpu, { x: y, weight: inputs.outProj }), residual: norm.residual };
}

/** Sizes from x, dtProj, A and convWeight; everything else must agree with them. */
function checkMambaStep(inputs: MambaStepInputs): Dims {
  const pair = (name: 'x' | 'dtProj' | 'A' | 'convWeight'): [number, number] => {
    const { shape } = inputs[name];
    if (shape.length !== 2 || shape.includes(0)) fail('SHAPE', `${name} has shape [${shape.join(', ')}]`);
    return shape as unknown as [number, number];
  };
  const [batch, model] = pair('x');
  const [channels, rank] = pair('dtProj');
  const states = pair('A')[1];
  const width = pair('convWeight')[1];
  const expected: Record<string, readonly number[]> = {
    x: [batch, model],
    residual: [batch, model],
    normWeight: [model],
    inProj: [2 * channels, model],
    convWeight: [channels, width],
    convBias: [channels],
    convState: [batch, width - 1, channels],
    xProj: [rank + 2 * states, channels],
    dtProj: [channels, rank],
    dtBias: [channels],
    A: [channels, states],
    D: [channels],
    state: [batch, channels, states],
    outProj: [model, channels],
  };
  for (const [name, shape] of Object.entries(expected)) {
    const tensor = inputs[name as keyof MambaStepInputs] as Tensor | undefined;
    if (!tensor) continue;
    if (tensor.shape.join() !== shape.join()) {
      fail('SHAPE', `${name} has shape [${tensor.shape.join(', ')}], expected [${shape.join(', ')}]`);
    }
    const weight = ['inProj', 'xProj', 'dtProj', 'outProj'].includes(name) && isStorageType(tensor.dtype);
    if (tensor.dtype !== 'f32' && !weight) fail('DTYPE', `${name} is ${tensor.dtype}, expected f32`);
  }
  return { batch, model, channels, width, rank, states };
}

function fail(code: 'SHAPE' | 'DTYPE', message: string): never {
  throw new MambaError(code, `mambaStep: ${message}`);
}
