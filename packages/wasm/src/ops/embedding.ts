import { checkEmbedding, checkEmbeddingBackward, checkId } from '@mamba-ts/backend';
import { EMBEDDING, EMBEDDING_BACKWARD } from '../kernel-ids.js';
import type { Runtime } from '../runtime.js';
import type { WasmTensor } from '../tensor.js';
import { addressOf, ceilDiv, type Op, own } from './op.js';

function checkIds(runtime: Runtime, op: string, ids: WasmTensor, vocab: number): void {
  runtime.check(() => {
    for (const id of ids.raw()) if (id < 0 || id >= vocab) checkId(op, 'ids', id, vocab);
  });
}

export const embedding: Op<'embedding'> = (runtime, inputs) => {
  const { rows, vocab, channels, shape } = checkEmbedding(inputs);
  const ids = own(inputs.ids);
  checkIds(runtime, 'embedding', ids, vocab);
  const weight = own(inputs.weight);
  const y = runtime.empty(shape);
  // A table that is also the head's weight stays as the head reads it.
  const { inPanels } = weight;
  const from = inPanels ? weight.panels : weight.address;
  runtime.run({
    kernel: EMBEDDING,
    pieces: ceilDiv(rows, 16),
    ints: [ids.address, from, weight.scales, weight.kind, y.address, rows, channels, Number(inPanels)],
    work: (rows * channels) / 2,
    scratch: 4 * channels + 64,
  });
  return y;
};

export const embeddingBackward: Op<'embeddingBackward'> = (runtime, inputs, grads) => {
  const { rows, vocab, channels } = checkEmbeddingBackward(inputs, grads);
  checkIds(runtime, 'embeddingBackward', own(inputs.ids), vocab);
  const dweight = runtime.empty([vocab, channels]);
  runtime.run({
    kernel: EMBEDDING_BACKWARD,
    pieces: ceilDiv(channels, 16),
    ints: [addressOf(inputs.ids), addressOf(grads.dy), dweight.address, rows, vocab, channels],
    work: (rows + vocab) * channels,
  });
  return { dweight };
};
