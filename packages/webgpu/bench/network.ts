import type { Tensor } from '@mamba-ts/backend';
import type { WebgpuBackend } from '../src/index.js';

export interface Shape {
  readonly layers: number;
  readonly model: number;
  readonly inner: number;
  readonly states: number;
  readonly rank: number;
  readonly width: number;
  readonly vocab: number;
}

export const MAMBA_130M: Shape = {
  layers: 24,
  model: 768,
  inner: 1536,
  states: 16,
  rank: 48,
  width: 4,
  vocab: 50280,
};

export type WeightType = 'f32' | 'f16' | 'int8';

interface Layer {
  readonly norm: Tensor;
  readonly inProj: Tensor;
  readonly convWeight: Tensor;
  readonly convBias: Tensor;
  readonly xProj: Tensor;
  readonly dtProj: Tensor;
  readonly dtBias: Tensor;
  readonly A: Tensor;
  readonly D: Tensor;
  readonly outProj: Tensor;
}

export interface LayerState {
  readonly conv: Tensor;
  readonly ssm: Tensor;
}

/** A Mamba language model with random weights, straight on the ops: what a step and a prefill cost, and nothing else. */
export class Network {
  readonly shape: Shape;
  readonly backend: WebgpuBackend;
  readonly embedding: Tensor;
  readonly finalNorm: Tensor;
  readonly layers: readonly Layer[];

  constructor(backend: WebgpuBackend, shape: Shape, weights: WeightType) {
    this.backend = backend;
    this.shape = shape;
    const { model, inner, states, rank, width, vocab } = shape;
    let seed = 1;
    const random = (count: number, scale: number, shift = 0) => {
      const out = new Float32Array(count);
      let state = seed++ * 2654435761;
      for (let i = 0; i < count; i++) {
        state = (Math.imul(state, 1664525) + 1013904223) | 0;
        out[i] = shift + (scale * state) / 2 ** 31;
      }
      return out;
    };
    const matrix = (rows: number, columns: number) =>
      backend.tensor(random(rows * columns, columns ** -0.5), [rows, columns], weights);
    const vector = (size: number, scale: number, shift = 0) =>
      backend.tensor(random(size, scale, shift), [size]);
    this.embedding = matrix(vocab, model);
    this.finalNorm = vector(model, 0.1, 1);
    this.layers = Array.from({ length: shape.layers }, () => ({
      norm: vector(model, 0.1, 1),
      inProj: matrix(2 * inner, model),
      convWeight: backend.tensor(random(inner * width, 0.5), [inner, width]),
      convBias: vector(inner, 0.1),
      xProj: matrix(rank + 2 * states, inner),
      dtProj: matrix(inner, rank),
      dtBias: vector(inner, 1, -4),
      A: backend.tensor(
        Float32Array.from({ length: inner * states }, (_, i) => -1 - (i % states)),
        [inner, states],
      ),
      D: vector(inner, 0.1, 1),
      outProj: matrix(model, inner),
    }));
  }

  createState(batch = 1): LayerState[] {
    const { inner, states, width } = this.shape;
    return this.layers.map(() => ({
      conv: this.backend.zeros([batch, width - 1, inner]),
      ssm: this.backend.zeros([batch, inner, states]),
    }));
  }

  /** ids [B] -> logits [B, V]; `fused`: with `mambaStep`, else the contract's ops alone. */
  step(ids: Tensor, state: readonly LayerState[], fused: boolean): Tensor {
    const { ops } = this.backend;
    let x = ops.embedding({ ids, weight: this.embedding });
    let residual: Tensor | undefined;
    this.layers.forEach((layer, i) => {
      const { conv, ssm } = state[i]!;
      if (fused) {
        const { norm: normWeight, ...rest } = layer;
        const inputs = { x, residual, normWeight, eps: 1e-5, convState: conv, state: ssm, ...rest };
        ({ y: x, residual } = ops.mambaStep(inputs));
      } else {
        const normed = ops.rmsNorm({ x, residual, weight: layer.norm, eps: 1e-5 });
        x = this.#mixerStep(normed.y, layer, conv, ssm);
        residual = normed.residual;
      }
    });
    const { y } = ops.rmsNorm({ x, residual, weight: this.finalNorm, eps: 1e-5 });
    return ops.linear({ x: y, weight: this.embedding });
  }

  #mixerStep(x: Tensor, layer: Layer, conv: Tensor, ssm: Tensor): Tensor {
    const { ops } = this.backend;
    const { inner, rank, states } = this.shape;
    const xz = ops.linear({ x, weight: layer.inProj });
    const [input, z] = ops.split({ x: xz, sizes: [inner, inner], axis: 1 });
    const u = ops.causalConv1dStep({
      x: input!,
      weight: layer.convWeight,
      bias: layer.convBias,
      activation: 'silu',
      state: conv,
    });
    const projected = ops.linear({ x: u, weight: layer.xProj });
    const [dt, B, C] = ops.split({ x: projected, sizes: [rank, states, states], axis: 1 });
    const delta = ops.linear({ x: dt!, weight: layer.dtProj });
    const { A, D, dtBias: deltaBias } = layer;
    const y = ops.selectiveScanStep({
      u,
      delta,
      A,
      B: B!,
      C: C!,
      D,
      z,
      deltaBias,
      softplus: true,
      state: ssm,
    });
    return ops.linear({ x: y, weight: layer.outProj });
  }

  /** ids [B, L] -> normed residual stream [B, L, model]: all of a prefill but the head, which reads one token. */
  prefill(ids: Tensor): Tensor {
    const { ops } = this.backend;
    const { inner, rank, states } = this.shape;
    let x = ops.embedding({ ids, weight: this.embedding });
    let residual: Tensor | undefined;
    for (const layer of this.layers) {
      [x, residual] = this.backend.scope((): [Tensor, Tensor] => {
        const normed = ops.rmsNorm({ x, residual, weight: layer.norm, eps: 1e-5 });
        const xz = ops.linear({ x: normed.y, weight: layer.inProj });
        const [input, z] = ops.split({ x: xz, sizes: [inner, inner], axis: 2 });
        const { y: u } = ops.causalConv1d({
          x: input!,
          weight: layer.convWeight,
          bias: layer.convBias,
          activation: 'silu',
        });
        const projected = ops.linear({ x: u, weight: layer.xProj });
        const [dt, B, C] = ops.split({ x: projected, sizes: [rank, states, states], axis: 2 });
        const delta = ops.linear({ x: dt!, weight: layer.dtProj });
        const { A, D, dtBias: deltaBias } = layer;
        const { y } = ops.selectiveScan({
          u,
          delta,
          A,
          B: B!,
          C: C!,
          D,
          z,
          deltaBias,
          softplus: true,
        });
        return [ops.linear({ x: y, weight: layer.outProj }), normed.residual];
      });
    }
    return ops.rmsNorm({ x, residual, weight: this.finalNorm, eps: 1e-5 }).y;
  }
}
