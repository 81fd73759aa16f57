import type { Backend, Ops, Tensor } from '@mamba-ts/backend';

/*
 * Causal softmax attention with rotary positions and normalised queries and keys (arXiv 2010.04245), from the ops that every
 * backend has: the contract has no attention, and a baseline is no reason to give it one. Without the norms a few large steps
 * at a high learning rate make exp overflow. Three tricks:
 *
 * - A weight of `linear` may be an activation: scores are linear(q, k), and P V is linear(P, V^T).
 * - V^T needs no transpose: it is linear(W_v, x).
 * - RMSNorm divides. Of the row [n / M, Z], with n = sum_s e^s v_s and Z = sum_s e^s, it makes
 *   sqrt(d + 1) [n / M, Z] / sqrt(Z² + |n|²/M²), which is n / Z after the weight M / sqrt(d + 1), up to a relative error of
 *   |n / Z|² / 2 M²: below f32's own rounding for M = 4096.
 *
 * No maximum is subtracted from the scores: Z² must be a normal f32, which holds for scores from -40 to 40.
 */

/** M above: a power of two, so that scaling is exact. */
const SCALE = 4096;

/** Below the smallest Z² that the range of scores allows. */
const EPS = 1e-37;

/** Of the norms of queries and keys, whose elements are of the order of 1. */
const NORM_EPS = 1e-6;

const ROTARY_BASE = 10_000;

/** What attention over `length` tokens needs beside the weights. */
export interface AttentionConstants {
  /** [L, L]: 1 / M where column s may be seen from row t, s <= t; 0 elsewhere */
  readonly mask: Tensor;
  /** [1, L]: M */
  readonly ones: Tensor;
  /** [d + 1] */
  readonly divide: Tensor;
  /** [D, D]: turns each pair (a, b) of a head into (-b, a) */
  readonly quarterTurn: Tensor;
  /** [L, D]: cosines and sines of the angles */
  readonly cos: Tensor;
  readonly sin: Tensor;
}

/** `headSize` d must be even: pairs (i, i + d/2) of a head turn by t 10000^(-2i/d) at position t (arXiv 2104.09864). */
export function attentionConstants(
  backend: Backend,
  length: number,
  width: number,
  headSize: number,
  dtype: 'f32' | 'f64',
): AttentionConstants {
  const half = headSize / 2;
  const table = (shape: number[], value: (row: number, column: number) => number) => {
    const data = new Float64Array(shape[0]! * shape[1]!);
    for (let i = 0; i < data.length; i++) data[i] = value(Math.floor(i / shape[1]!), i % shape[1]!);
    return backend.tensor(data, shape, dtype);
  };
  const angle = (t: number, channel: number) => t * ROTARY_BASE ** (-(channel % half) / half);
  return {
    mask: table([length, length], (t, s) => (s <= t ? 1 / SCALE : 0)),
    ones: backend.ops.fill({ shape: [1, length], value: SCALE, dtype }),
    divide: backend.ops.fill({ shape: [headSize + 1], value: SCALE / Math.sqrt(headSize + 1), dtype }),
    quarterTurn: table([width, width], (to, from) => {
      const isFirst = to % headSize < half;
      if (isFirst) return from === to + half ? -1 : 0;
      return from === to - half ? 1 : 0;
    }),
    cos: table([length, width], (t, c) => Math.cos(angle(t, c))),
    sin: table([length, width], (t, c) => Math.sin(angle(t, c))),
  };
}

export interface AttentionWeights {
  /** [D, D] each; rows of q, k and v are the heads', one after another */
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
  readonly out: Tensor;
  /** [d] each, the same for every head: gains of the norms of queries and keys, after the rotation */
  readonly qNorm: Tensor;
  readonly kNorm: Tensor;
}

/**
 * Causal multi-head self-attention of one sequence, x [L, D] -> [L, D].
 * @param scope frees what one head made; on a tape, just the call
 */
export function causalAttention(
  ops: Ops,
  scope: <T>(run: () => T) => T,
  x: Tensor,
  weights: AttentionWeights,
  constants: AttentionConstants,
): Tensor {
  const width = x.shape[1]!;
  const headSize = constants.divide.shape[0]! - 1;
  const sizes = new Array<number>(width / headSize).fill(headSize);
  const { cos, sin } = constants;
  const turned = (weight: Tensor) => {
    const projected = ops.linear({ x, weight });
    const quarter = ops.linear({ x: projected, weight: constants.quarterTurn });
    const sum = ops.add({ a: ops.mul({ a: projected, b: cos }), b: ops.mul({ a: quarter, b: sin }) });
    return ops.split({ x: sum, sizes, axis: 1 });
  };
  const unit = (x: Tensor, weight: Tensor) => ops.rmsNorm({ x, weight, eps: NORM_EPS }).y;
  const queries = turned(weights.q);
  const keys = turned(weights.k);
  const values = ops.split({ x: weights.v, sizes, axis: 0 });
  const heads = sizes.map((_, head) =>
    scope(() => {
      const [query, key] = [unit(queries[head]!, weights.qNorm), unit(keys[head]!, weights.kNorm)];
      const scores = ops.linear({ x: query, weight: key });
      const visible = ops.mul({ a: ops.exp({ x: scores }), b: constants.mask });
      const transposed = ops.linear({ x: values[head]!, weight: x });
      const sums = ops.linear({
        x: visible,
        weight: ops.concat({ tensors: [transposed, constants.ones], axis: 0 }),
      });
      const { y } = ops.rmsNorm({ x: sums, weight: constants.divide, eps: EPS });
      return ops.split({ x: y, sizes: [headSize, 1], axis: 1 })[0]!;
    }),
  );
  const together = heads.length === 1 ? heads[0]! : ops.concat({ tensors: heads, axis: 1 });
  return ops.linear({ x: together, weight: weights.out });
}
