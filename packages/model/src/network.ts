import type { Tensor } from '@mamba-ts/backend';
import { blockForward, blockStep, fusedStep, isFusable, type LayerState } from './block.js';
import { mixerOf } from './mixers/index.js';
import type { Run, ScanConstants, Weights } from './mixers/mixer.js';
import { mlp } from './mlp.js';
import { norm } from './norm.js';

/** The tensors of a model, sorted by module. */
export interface ModelWeights {
  readonly embedding: Tensor;
  /** The embedding itself where the head is tied. */
  readonly head: Tensor;
  readonly layers: readonly LayerWeights[];
  readonly final: Weights;
  /** Decoding steps go through the backend's `mambaStep`. */
  readonly fused: boolean;
}

interface LayerWeights {
  readonly block: Weights;
  /** Norms and MLP. */
  readonly outer: Weights;
}

export interface SequenceOptions {
  /** One a layer: where the sequence starts from. Zeros when absent. */
  readonly states?: readonly LayerState[] | undefined;
  /** [B, L] i32: where packed sequences begin. */
  readonly seqIdx?: Tensor | undefined;
  /** Return the states after the last token. */
  readonly wantStates?: boolean;
  /** Return the residual stream. */
  readonly hidden?: boolean;
  /** Logits of every token [B, L, V] (default), of the last one [B, V], or none. */
  readonly logits?: 'all' | 'last' | 'none';
}

export interface SequenceOutputs {
  readonly logits: Tensor | undefined;
  readonly states: LayerState[];
  readonly hidden: Tensor[];
}

export function sortWeights(
  run: Pick<Run, 'backend' | 'dtype' | 'config'>,
  parameters: ReadonlyMap<string, Tensor>,
): ModelWeights {
  const { config } = run;
  const layers = Array.from({ length: config.nLayer }, () => ({
    block: {} as Record<string, Tensor>,
    outer: {} as Record<string, Tensor>,
  }));
  const final: Record<string, Tensor> = {};
  for (const [name, tensor] of parameters) {
    const [, index, mixer, local] = name.match(/^backbone\.layers\.(\d+)\.(mixer\.)?(.+)$/) ?? [];
    if (local) layers[Number(index)]![mixer ? 'block' : 'outer'][local] = tensor;
    else final[name.replace('backbone.', '')] = tensor;
  }
  const embedding = final['embedding.weight']!;
  const head = final['lm_head.weight'] ?? embedding;
  return { embedding, head, layers, final, fused: isFusable(run, layers[0]!.block) };
}

/** The scan's inputs that follow from the weights alone, one a layer. */
export function scanConstants(run: Run, weights: ModelWeights): ScanConstants[] {
  return weights.layers.map(({ block }) => mixerOf(run.config).constants(run, block));
}

/**
 * A whole sequence. `ids` is [B, L] i32. Each layer runs in a scope of its own, so that without a tape only one layer's
 * activations live at a time.
 */
export function forwardSequence(
  run: Run,
  weights: ModelWeights,
  constants: readonly ScanConstants[],
  ids: Tensor,
  options: SequenceOptions,
): SequenceOutputs {
  const { ops } = run;
  const { states, seqIdx, wantStates = false } = options;
  const newStates: LayerState[] = [];
  const hidden: Tensor[] = [];
  let x = ops.embedding({ ids, weight: weights.embedding });
  let residual: Tensor | undefined;
  weights.layers.forEach((layer, i) => {
    const before = [x, residual];
    const after = run.scope(() => {
      const normed = norm(run, layer.outer, 'norm', x, residual);
      const mixed = blockForward(run, layer.block, constants[i]!, normed.y, {
        state: states?.[i],
        seqIdx,
        wantState: wantStates,
      });
      return { ...mixed, ...applyMlp(run, layer, mixed.y, normed.residual), stream: normed.residual };
    });
    if (after.state) newStates.push(after.state);
    if (options.hidden) hidden.push(after.stream);
    ({ y: x, residual } = after);
    for (const old of before) if (old && old !== residual && !hidden.includes(old)) run.free(old);
  });
  if (options.logits === 'none') return { logits: undefined, states: newStates, hidden };
  const last = norm(run, weights.final, 'norm_f', x, residual);
  if (options.hidden) hidden.push(last.residual, last.y);
  const output = options.logits === 'last' ? lastToken(run, last.y) : last.y;
  return { logits: ops.linear({ x: output, weight: weights.head }), states: newStates, hidden };
}

/** One token a row: `ids` is [B] i32, the states are updated in place. -> logits [B, V] */
export function forwardStep(
  run: Run,
  weights: ModelWeights,
  constants: readonly ScanConstants[],
  ids: Tensor,
  states: readonly LayerState[],
): Tensor {
  let x = run.ops.embedding({ ids, weight: weights.embedding });
  let residual: Tensor | undefined;
  weights.layers.forEach((layer, i) => {
    if (weights.fused) {
      const normWeight = layer.outer['norm.weight']!;
      const { block } = layer;
      ({ y: x, residual } = fusedStep(run, normWeight, block, constants[i]!, x, residual, states[i]!));
      return;
    }
    const normed = norm(run, layer.outer, 'norm', x, residual);
    const y = blockStep(run, layer.block, constants[i]!, normed.y, states[i]!);
    ({ y: x, residual } = applyMlp(run, layer, y, normed.residual));
  });
  const { y } = norm(run, weights.final, 'norm_f', x, residual);
  return run.ops.linear({ x: y, weight: weights.head });
}

function applyMlp(run: Run, { outer }: LayerWeights, y: Tensor, residual: Tensor) {
  if (run.config.dIntermediate === 0) return { y, residual };
  const normed = norm(run, outer, 'norm2', y, residual);
  return { y: mlp(run, outer, normed.y), residual: normed.residual };
}

/**
 * [B, L, D] -> [B, D]. The contract has no reshape; but the last state of h_t = 0 h_{t-1} + b_t is b's last token, and a
 * state has no axis of length.
 */
function lastToken({ ops, dtype }: Run, x: Tensor): Tensor {
  const [batch, length, width] = x.shape as [number, number, number];
  const last = length === 1 ? x : ops.split({ x, sizes: [length - 1, 1], axis: 1 })[1]!;
  return ops.linearRecurrence({ a: ops.fill({ shape: [batch, 1, width], value: 0, dtype }), b: last })
    .lastState;
}
