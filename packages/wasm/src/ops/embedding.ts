import { checkEmbedding, checkEmbeddingBackward, checkId } from '@mamba-ts/backend';
import { EMBEDDING, EMBEDDING_BACKWARD } from '../kernel-ids.js';
import { Kind, type WasmTensor } from '../tensor.js';
import { addressOf, ceilDiv, type Op, own } from './op.js';

function checkIds(op: string, ids: WasmTensor, vocab: number): void {
  for (const id of ids.raw()) if (id < 0 || id >= vocab) checkId(op, 'ids', id, vocab);
}

export const embedding: Op<'embedding'> = (runtime, inputs) => {
  const { rows, vocab, channels, shape } = checkEmbedding(inputs);
  const ids = own(inputs.ids);
  checkIds('embedding', ids, vocab);
  const weight = own(inputs.weight);
  const y = runtime.empty(shape);
  const scales = weight.kind === Kind.int8 ? weight.scales : 0;
  runtime.run({
    kernel: EMBEDDING,
    pieces: ceilDiv(rows, 16),
    ints: [ids.address, weight.address, scales, weight.kind, y.address, rows, channels],
    work: (rows * channels) / 2,
    scratch: 4 * channels + 64,
  });
  return y;
};

export const embeddingBackward: Op<'embeddingBackward'> = (runtime, inputs, grads) => {
  const { rows, vocab, channels } = checkEmbeddingBackward(inputs, grads);
  checkIds('embeddingBackward', own(inputs.ids), vocab);
  const dweight = runtime.empty([vocab, channels]);
  runtime.run({
    kernel: EMBEDDING_BACKWARD,
    pieces: ceilDiv(channels, 16),
    ints: [addressOf(inputs.ids), addressOf(grads.dy), dweight.address, rows, vocab, channels],
    work: (rows + vocab) * channels,
  });
  return { dweight };
};
