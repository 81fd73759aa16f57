import { MambaError, type Tensor } from '@mamba-ts/backend';
import { tape } from './tape/tape.js';
import { type Batch, IGNORE } from './tasks/task.js';
import type { Trainable } from './trainable.js';

/**
 * Mean next-token cross-entropy over the L - 1 predictions of each row, and its gradient by every parameter. The model does
 * not change. The caller disposes the gradients.
 *
 * @param ids one sequence, or rows of one length L >= 2
 * @returns `loss` in nats; `grads` by name in the original state dict, shaped as the parameters. A tied embedding has one
 * gradient, the sum over both of its uses. A parameter that the loss does not depend on is absent
 * @throws MambaError `SHAPE` for rows of unequal length or shorter than 2; `DTYPE` where a weight is f16, bf16 or int8
 */
export async function lossAndGradients(
  model: Trainable,
  ids: readonly number[] | readonly (readonly number[])[],
): Promise<{ loss: number; grads: Map<string, Tensor> }> {
  const { loss, grads } = differentiate(model, nextToken(ids));
  try {
    const [value] = await loss.data();
    return { loss: value!, grads };
  } catch (error) {
    for (const gradient of grads.values()) gradient.dispose();
    throw error;
  } finally {
    loss.dispose();
  }
}

/** The batch whose targets are its own ids, one place on. The last position has no target. */
function nextToken(ids: readonly number[] | readonly (readonly number[])[]): Batch {
  const rows = (typeof ids[0] === 'number' ? [ids] : ids) as number[][];
  const length = rows[0]?.length ?? 0;
  if (length < 2) {
    throw new MambaError(
      'SHAPE',
      `lossAndGradients: a row has ${length} tokens; predicting takes at least 2`,
    );
  }
  return { ids: rows, targets: rows.map((row) => [...row.slice(1), IGNORE]) };
}

/**
 * Loss of a batch and the gradients of `scale` times it, all still on the backend. Everything else is freed.
 */
export function differentiate(
  model: Trainable,
  { ids, targets }: Batch,
  scale = 1,
): { loss: Tensor; grads: Map<string, Tensor> } {
  const { backend } = model;
  const parameters = model.parameters();
  for (const [name, { dtype }] of parameters) {
    if (dtype !== 'f32' && dtype !== 'f64') {
      throw new MambaError(
        'DTYPE',
        `${name} is ${dtype}, which cannot be trained: load the model with dtype f32`,
      );
    }
  }
  return backend.scope(() => {
    const recording = tape(backend.ops);
    const { logits } = model.forward(ids, { ops: recording });
    const loss = recording.crossEntropy({ logits, targets: upload(model, targets), ignoreIndex: IGNORE });
    const gradients = recording.backward(loss, {
      seed: backend.tensor([scale], [], loss.dtype),
      wrt: parameters.values(),
    });
    const grads = new Map<string, Tensor>();
    for (const [name, parameter] of parameters) {
      const gradient = gradients.get(parameter);
      if (gradient) grads.set(name, gradient);
    }
    return { loss, grads };
  });
}

/** Rows of ids or targets as [B, L] i32. */
export function upload(
  { backend }: Pick<Trainable, 'backend'>,
  rows: readonly (readonly number[])[],
): Tensor {
  const length = rows[0]!.length;
  for (const [r, row] of rows.entries()) {
    if (row.length !== length) {
      throw new MambaError(
        'SHAPE',
        `row ${r} has ${row.length} tokens, row 0 has ${length}: rows must be equally long`,
      );
    }
  }
  return backend.tensor(Int32Array.from(rows.flat()), [rows.length, length], 'i32');
}
