import type { MaybeComplex, Tensor } from '@mamba-ts/backend';
import type { MambaConfig } from './config/config.js';
import { mixerOf } from './mixers/index.js';
import type { Run, ScanConstants, Weights } from './mixers/mixer.js';
import { constant, kaimingUniform } from './parameters/init.js';
import type { ParameterSpec } from './parameters/spec.js';

/** What a block remembers of a sequence. */
export interface LayerState {
  /** [B, dConv - 1, dInner]: the last inputs of the convolution, oldest first. */
  readonly conv: Tensor;
  /** [B, dInner, N], complex with complex A. */
  readonly ssm: MaybeComplex;
}

export interface BlockSequence {
  readonly state: LayerState | undefined;
  readonly seqIdx: Tensor | undefined;
  readonly wantState: boolean;
}

/** Parameters of the Mamba block (official `Mamba`): its projections and convolution, and the mixer's own. */
export function blockParameters(config: MambaConfig): ParameterSpec[] {
  const { dModel, dInner, dConv, nLayer, bias, convBias, gate } = config;
  const wide = gate ? 2 * dInner : dInner;
  const vector = (name: string, size: number, init: ParameterSpec['init']): ParameterSpec => ({
    name,
    shape: [size],
    role: 'vector',
    decay: true,
    init,
  });
  return [
    {
      name: 'in_proj.weight',
      shape: [wide, dModel],
      role: 'matrix',
      decay: true,
      init: kaimingUniform(wide * dModel, dModel),
    },
    ...(bias ? [vector('in_proj.bias', wide, constant(wide, 0))] : []),
    {
      name: 'conv1d.weight',
      shape: [dInner, dConv],
      fileShape: [dInner, 1, dConv],
      role: 'vector',
      decay: true,
      init: kaimingUniform(dInner * dConv, dConv),
    },
    ...(convBias ? [vector('conv1d.bias', dInner, kaimingUniform(dInner, dConv))] : []),
    ...mixerOf(config).parameters(config),
    {
      name: 'out_proj.weight',
      shape: [dModel, dInner],
      role: 'matrix',
      decay: true,
      // One residual branch a layer adds to the stream: the official initialisation keeps its variance level with depth.
      init: kaimingUniform(dModel * dInner, dInner, 1 / Math.sqrt(nLayer)),
    },
    ...(bias ? [vector('out_proj.bias', dModel, constant(dModel, 0))] : []),
  ];
}

/** x [B, L, dModel] -> [B, L, dModel]: in_proj, convolution and silu, mixer with gate, out_proj. */
export function blockForward(
  run: Run,
  weights: Weights,
  constants: ScanConstants,
  x: Tensor,
  { state, seqIdx, wantState }: BlockSequence,
): { y: Tensor; state: LayerState | undefined } {
  const { ops } = run;
  const [input, z] = projectIn(run, weights, x);
  const { y: u, lastState: conv } = ops.causalConv1d({
    x: input,
    weight: weights['conv1d.weight']!,
    bias: weights['conv1d.bias'],
    activation: 'silu',
    initialState: state?.conv,
    seqIdx,
  });
  const { y, lastState: ssm } = mixerOf(run.config).forward(run, {
    weights,
    constants,
    u,
    z,
    initialState: state?.ssm,
    seqIdx,
    wantState,
  });
  return { y: projectOut(run, weights, y), state: wantState ? { conv, ssm: ssm! } : undefined };
}

/** x [B, dModel] -> [B, dModel]: one token; the state is updated in place. */
export function blockStep(
  run: Run,
  weights: Weights,
  constants: ScanConstants,
  x: Tensor,
  state: LayerState,
): Tensor {
  const [input, z] = projectIn(run, weights, x);
  const u = run.ops.causalConv1dStep({
    x: input,
    weight: weights['conv1d.weight']!,
    bias: weights['conv1d.bias'],
    activation: 'silu',
    state: state.conv,
  });
  const y = mixerOf(run.config).step(run, { weights, constants, u, z, state: state.ssm });
  return projectOut(run, weights, y);
}

/** Whether `fusedStep` is there for these blocks: the backend has the op, and they are what it computes, plain Mamba. */
export function isFusable(
  { backend, dtype, config }: Pick<Run, 'backend' | 'dtype' | 'config'>,
  weights: Weights,
): boolean {
  const { mixer, complexA, selective, rmsNorm, gate, bias, dIntermediate } = config;
  const plain = mixer === 's6' && !complexA && selective.delta && selective.B && selective.C;
  if (!plain || !rmsNorm || !gate || bias || dIntermediate > 0) return false;
  return PROJECTIONS.every((name) => backend.supports('mambaStep', { dtype, weight: weights[name]!.dtype }));
}

const PROJECTIONS = ['in_proj.weight', 'x_proj.weight', 'dt_proj.weight', 'out_proj.weight'] as const;

/** The norm before the block and `blockStep` as one op: x [B, dModel] is added to the residual stream first. */
export function fusedStep(
  { backend, config }: Run,
  normWeight: Tensor,
  weights: Weights,
  { A, D, deltaBias }: ScanConstants,
  x: Tensor,
  residual: Tensor | undefined,
  state: LayerState,
): { y: Tensor; residual: Tensor } {
  return backend.ops.mambaStep!({
    x,
    residual,
    normWeight,
    eps: config.normEps,
    inProj: weights['in_proj.weight']!,
    convWeight: weights['conv1d.weight']!,
    convBias: weights['conv1d.bias'],
    convState: state.conv,
    xProj: weights['x_proj.weight']!,
    dtProj: weights['dt_proj.weight']!,
    dtBias: deltaBias!,
    A: A as Tensor,
    D,
    state: state.ssm as Tensor,
    outProj: weights['out_proj.weight']!,
  });
}

function projectIn({ ops, config }: Run, weights: Weights, x: Tensor): [Tensor, Tensor | undefined] {
  const { dInner, gate } = config;
  const xz = ops.linear({ x, weight: weights['in_proj.weight']!, bias: weights['in_proj.bias'] });
  if (!gate) return [xz, undefined];
  const [input, z] = ops.split({ x: xz, sizes: [dInner, dInner], axis: x.shape.length - 1 });
  return [input!, z];
}

function projectOut({ ops }: Run, weights: Weights, y: Tensor): Tensor {
  return ops.linear({ x: y, weight: weights['out_proj.weight']!, bias: weights['out_proj.bias'] });
}
