import { type Tensor, throwIfAborted } from '@mamba-ts/backend';
import { upload } from './loss-and-gradients.js';
import { type Batch, IGNORE } from './tasks/task.js';
import type { Trainable } from './trainable.js';
import { nextTurn } from './turn.js';

export interface Evaluation {
  /** Mean over the counted tokens, in nats. */
  loss: number;
  /** Share of the counted tokens that the model finds most probable. */
  tokenAccuracy: number;
  /** Share of the sequences whose every counted token is right. */
  sequenceAccuracy: number;
  /** Counted tokens. */
  tokens: number;
  sequences: number;
}

export interface EvaluateOptions {
  signal?: AbortSignal | undefined;
  /** Tokens computed at once; memory grows with it, not with the sequences. Default 512. */
  chunkSize?: number | undefined;
}

/**
 * Loss and accuracy over batches. Sequences are read in chunks with the state carried along, so their length is bounded by
 * time alone; up to the first counted position no logits are computed.
 *
 * @throws MambaError `ABORTED` soon after the signal fires
 */
export async function evaluateBatches(
  model: Trainable,
  batches: Iterable<Batch>,
  { signal, chunkSize = 512 }: EvaluateOptions = {},
): Promise<Evaluation> {
  let nats = 0;
  let tokens = 0;
  let rightTokens = 0;
  let sequences = 0;
  let rightSequences = 0;
  for (const batch of batches) {
    const right = batch.ids.map(() => true);
    for await (const { logits, targets } of readBatch(model, batch, chunkSize, signal)) {
      const score = await scoreLogits(model, logits, targets);
      nats += score.loss * score.counted;
      tokens += score.counted;
      rightTokens += score.counted - score.wrongInRow.reduce((sum, wrong) => sum + wrong, 0);
      score.wrongInRow.forEach((wrong, row) => {
        if (wrong > 0) right[row] = false;
      });
    }
    sequences += right.length;
    rightSequences += right.filter(Boolean).length;
  }
  return {
    loss: nats / tokens,
    tokenAccuracy: rightTokens / tokens,
    sequenceAccuracy: rightSequences / sequences,
    tokens,
    sequences,
  };
}

/** The logits [B, l, V] of all positions from the first counted one on, with their targets. The consumer disposes them. */
async function* readBatch(
  model: Trainable,
  { ids, targets }: Batch,
  chunkSize: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<{ logits: Tensor; targets: number[][] }> {
  await nextTurn();
  throwIfAborted(signal, 'the evaluation');
  const cut = (rows: number[][], from: number, to: number) => rows.map((row) => row.slice(from, to));
  const length = ids[0]!.length;
  const state = model.createState?.(ids.length);
  if (state === undefined) {
    yield { logits: model.backend.scope(() => model.forward(ids).logits), targets };
    return;
  }
  try {
    const firsts = targets.map((row) => row.findIndex((target) => target !== IGNORE));
    let at = Math.min(...firsts.map((first) => (first < 0 ? length : first)));
    if (at > 0 && model.prefill) {
      (await model.prefill(cut(ids, 0, at), state, { chunkSize, signal })).logits.dispose();
    } else {
      at = 0;
    }
    for (; at < length; at += chunkSize) {
      throwIfAborted(signal, 'the evaluation');
      const { logits } = model.forward(cut(ids, at, at + chunkSize), { state });
      yield { logits, targets: cut(targets, at, at + chunkSize) };
      await nextTurn();
    }
  } finally {
    state.dispose();
  }
}

/** Mean loss over the counted positions and the wrong ones of each row. Disposes the logits. */
async function scoreLogits(
  model: Trainable,
  logits: Tensor,
  rows: number[][],
): Promise<{ loss: number; counted: number; wrongInRow: number[] }> {
  const { backend } = model;
  const { loss, best } = backend.scope(() => ({
    loss: backend.ops.crossEntropy({ logits, targets: upload(model, rows), ignoreIndex: IGNORE }),
    best: backend.ops.argmax({ x: logits }),
  }));
  try {
    const predicted = await best.data();
    let counted = 0;
    const wrongInRow = rows.map((row, r) => {
      let wrong = 0;
      row.forEach((target, t) => {
        if (target === IGNORE) return;
        counted++;
        if (predicted[r * row.length + t] !== target) wrong++;
      });
      return wrong;
    });
    return { loss: (await loss.data())[0]!, counted, wrongInRow };
  } finally {
    for (const tensor of [logits, loss, best]) tensor.dispose();
  }
}
