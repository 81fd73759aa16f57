import {
  checkMambaStep,
  isStorageType,
  type MambaStepDims,
  type MambaStepInputs,
  type Tensor,
} from '@mamba-ts/backend';
import { float, MAX_UNIFORM } from '../engine.js';
import type { Gpu } from '../gpu.js';
import { layoutOf } from '../layout.js';
import type { GpuTensor } from '../tensor.js';
import { causalConv1dStep } from './causal-conv1d.js';
import { linear, threadsOf } from './linear.js';
import { rmsNorm } from './norms.js';
import { selectiveScanStep } from './scan/step.js';
import { split } from './split-concat.js';
import { weightSnippet } from './weights.js';

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

function isFusable(gpu: Gpu, inputs: MambaStepInputs, dims: MambaStepDims): boolean {
  const { batch, model, channels, states, width } = dims;
  const whole = [inputs.inProj, inputs.dtProj].every((tensor) => gpu.get(tensor).parts.length === 1);
  const quads = [model, channels, states].every((size) => size % 4 === 0);
  return batch <= MOST_ROWS && width > 1 && quads && whole && 4 * Math.max(model, channels) <= MAX_UNIFORM;
}

function fused(gpu: Gpu, inputs: MambaStepInputs, dims: MambaStepDims): { y: Tensor; residual: Tensor } {
  const { batch, model, channels, width, rank, states } = dims;
  const { residual, convBias, D } = inputs;
  const convState = gpu.own(inputs.convState).loan;
  const state = gpu.own(inputs.state).loan;
  const total = residual && gpu.make([batch, model]);
  const uz = gpu.make([batch, 2 * channels]);
  const inProj = weightOf(gpu, inputs.inProj);
  gpu.engine.run('step-in', {
    snippets: [gpu.engine.sumSnippet, inProj.snippet, inProj.scales ? 'norm-uniform' : 'norm-storage'],
    constants: {
      WG: threadsOf(model),
      ROWS: 4,
      W: width,
      BIAS: convBias ? channels / 4 : 1,
      ...(inProj.scales && { NORM: model / 4 }),
    },
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
  const mixed = gpu.make([batch, channels]);
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
  { channels, rank, states }: MambaStepDims,
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
