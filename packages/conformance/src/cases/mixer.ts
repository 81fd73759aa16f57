import type { OpName, Ops, Tensor } from '@mamba-ts/backend';

/*
 * The official mixer and language model, put together from ops. (Upstream: modules/mamba_simple.py,
 * models/mixer_seq_simple.py.)
 */

export const FORWARD: readonly OpName[] = ['linear', 'split', 'causalConv1d', 'exp', 'selectiveScan'];
export const BACKWARD: readonly OpName[] = [
  ...FORWARD,
  'linearBackward',
  'causalConv1dBackward',
  'selectiveScanBackward',
  'concat',
  'add',
  'mul',
];
export const STEP: readonly OpName[] = ['linear', 'split', 'causalConv1dStep', 'exp', 'selectiveScanStep'];
/** What the language model needs beside the mixer. */
export const MODEL: readonly OpName[] = ['embedding', 'rmsNorm', 'linear'];

/** One layer's weights by their names in the state dict, the convolution's as [D, W]. */
export type Weights = ReadonlyMap<string, Tensor>;

export const of = (weights: Weights, name: string) => {
  const tensor = weights.get(name);
  if (tensor === undefined) throw new Error(`there is no weight ${name}`);
  return tensor;
};

/** Pieces of the last axis. */
const cut = (ops: Ops, x: Tensor, sizes: number[]) => ops.split({ x, sizes, axis: x.shape.length - 1 });

export function sizesOf(weights: Weights) {
  const [inner, states] = of(weights, 'A_log').shape;
  const rank = of(weights, 'dt_proj.weight').shape[1];
  return { inner, states, rank };
}

/** The mixer over a sequence, with all that its gradient needs. */
export function forward(ops: Ops, weights: Weights, x: Tensor) {
  const { inner, states, rank } = sizesOf(weights);
  const xz = ops.linear({ x, weight: of(weights, 'in_proj.weight'), bias: weights.get('in_proj.bias') });
  const [u, z] = cut(ops, xz, [inner, inner]);
  const convInputs = {
    x: u,
    weight: of(weights, 'conv1d.weight'),
    bias: weights.get('conv1d.bias'),
    activation: 'silu',
  } as const;
  const conv = ops.causalConv1d(convInputs);
  const low = ops.linear({ x: conv.y, weight: of(weights, 'x_proj.weight') });
  const [dt, B, C] = cut(ops, low, [rank, states, states]);
  const scanInputs = {
    u: conv.y,
    delta: ops.linear({ x: dt, weight: of(weights, 'dt_proj.weight') }),
    A: ops.exp({ x: of(weights, 'A_log'), sign: -1 }),
    B,
    C,
    D: of(weights, 'D'),
    z,
    deltaBias: of(weights, 'dt_proj.bias'),
    softplus: true,
  };
  const scan = ops.selectiveScan(scanInputs);
  const out = { x: scan.y, weight: of(weights, 'out_proj.weight'), bias: weights.get('out_proj.bias') };
  return { y: ops.linear(out), conv, convInputs, dt, scan, scanInputs, out };
}

/** Gradients of x and of every weight, the chain rule by hand. */
export function backward(ops: Ops, weights: Weights, x: Tensor, dy: Tensor): Map<string, Tensor> {
  const { convInputs, dt, conv, scanInputs, out } = forward(ops, weights, x);
  const axis = 2;
  const dout = ops.linearBackward(out, { dy });
  const dscan = ops.selectiveScanBackward(scanInputs, { dy: dout.dx });
  const ddelta = ops.linearBackward({ x: dt, weight: of(weights, 'dt_proj.weight') }, { dy: dscan.ddelta });
  const dlow = ops.concat({ tensors: [ddelta.dx, dscan.dB as Tensor, dscan.dC as Tensor], axis });
  const dprojection = ops.linearBackward({ x: conv.y, weight: of(weights, 'x_proj.weight') }, { dy: dlow });
  const dconv = ops.causalConv1dBackward(convInputs, { dy: ops.add({ a: dscan.du, b: dprojection.dx }) });
  const dxz = ops.concat({ tensors: [dconv.dx, dscan.dz!], axis });
  const din = ops.linearBackward(
    { x, weight: of(weights, 'in_proj.weight'), bias: weights.get('in_proj.bias') },
    { dy: dxz },
  );
  const found: [string, Tensor | undefined][] = [
    ['dx', din.dx],
    ['grads.in_proj.weight', din.dweight],
    ['grads.in_proj.bias', din.dbias],
    ['grads.conv1d.weight', dconv.dweight],
    ['grads.conv1d.bias', dconv.dbias],
    ['grads.x_proj.weight', dprojection.dweight],
    ['grads.dt_proj.weight', ddelta.dweight],
    ['grads.dt_proj.bias', dscan.dDeltaBias],
    // A = -exp(A_log) is its own derivative.
    ['grads.A_log', ops.mul({ a: dscan.dA as Tensor, b: scanInputs.A })],
    ['grads.D', dscan.dD],
    ['grads.out_proj.weight', dout.dweight],
    ['grads.out_proj.bias', dout.dbias],
  ];
  return new Map(found.filter((entry): entry is [string, Tensor] => entry[1] !== undefined));
}

/** The mixer on one token [B, d], its two states updated in place. */
export function step(ops: Ops, weights: Weights, x: Tensor, state: { conv: Tensor; ssm: Tensor }): Tensor {
  const { inner, states, rank } = sizesOf(weights);
  const xz = ops.linear({ x, weight: of(weights, 'in_proj.weight'), bias: weights.get('in_proj.bias') });
  const [before, z] = cut(ops, xz, [inner, inner]);
  const u = ops.causalConv1dStep({
    x: before,
    weight: of(weights, 'conv1d.weight'),
    bias: weights.get('conv1d.bias'),
    activation: 'silu',
    state: state.conv,
  });
  const low = ops.linear({ x: u, weight: of(weights, 'x_proj.weight') });
  const [dt, B, C] = cut(ops, low, [rank, states, states]);
  const y = ops.selectiveScanStep({
    u,
    delta: ops.linear({ x: dt, weight: of(weights, 'dt_proj.weight') }),
    A: ops.exp({ x: of(weights, 'A_log'), sign: -1 }),
    B,
    C,
    D: of(weights, 'D'),
    z,
    deltaBias: of(weights, 'dt_proj.bias'),
    softplus: true,
    state: state.ssm,
  });
  return ops.linear({ x: y, weight: of(weights, 'out_proj.weight'), bias: weights.get('out_proj.bias') });
}

/** The language model's weights: of each layer, and the rest. */
export interface Model {
  readonly layers: readonly { readonly mixer: Weights; readonly norm: Tensor }[];
  /** Tied: also the head. */
  readonly embedding: Tensor;
  readonly norm: Tensor;
}

/** `mix` is the mixer of layer i, over a sequence or on one token. */
export function logitsOf(ops: Ops, model: Model, ids: Tensor, mix: (i: number, x: Tensor) => Tensor): Tensor {
  let x = ops.embedding({ ids, weight: model.embedding });
  let residual: Tensor | undefined;
  model.layers.forEach(({ norm }, i) => {
    const normed = ops.rmsNorm({ x, weight: norm, eps: 1e-5, residual });
    residual = normed.residual;
    x = mix(i, normed.y);
  });
  const last = ops.rmsNorm({ x, weight: model.norm, eps: 1e-5, residual });
  return ops.linear({ x: last.y, weight: model.embedding });
}
