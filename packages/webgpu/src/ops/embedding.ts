import { checkEmbedding, checkEmbeddingBackward, type EmbeddingInputs, type Tensor } from '@mamba-ts/backend';
import { fold, type Gpu } from '../gpu.js';
import { layoutOf } from '../layout.js';
import { columnSum } from './reductions.js';
import { weightSnippet } from './weights.js';

/** Floats of all chunks' tables together, 32 MB. */
const TABLES = 2 ** 23;
/** Tokens a chunk of them: each is one thread's turn, and each table one more to add up. */
const SHORTEST_CHUNK = 32;
/** What one dimension of a dispatch may count. */
const MOST_CHUNKS = 65535;

/** An id outside the table leaves zeros. */
export function embedding(gpu: Gpu, inputs: EmbeddingInputs): Tensor {
  const { rows: tokens, channels, vocab, shape } = checkEmbedding(inputs);
  const weight = gpu.get(inputs.weight);
  const { pitch } = layoutOf(weight.shape, weight.dtype);
  const y = gpu.make(shape);
  for (const { loan, scales, row, rows } of weight.parts) {
    gpu.engine.run('embedding', {
      snippets: [weightSnippet(weight.dtype, pitch)],
      bind: [loan, scales, gpu.flat(inputs.ids), y.loan],
      params: [tokens, channels, pitch, row, rows, row + rows === vocab ? 1 : 0],
      groups: fold(Math.ceil((tokens * Math.ceil(channels / 4)) / 64)),
    });
  }
  return y;
}

export function embeddingBackward(
  gpu: Gpu,
  inputs: EmbeddingInputs,
  grads: { dy: Tensor },
): { dweight: Tensor } {
  const { rows: tokens, channels, vocab } = checkEmbeddingBackward(inputs, grads);
  const tables = Math.min(Math.floor(TABLES / (vocab * channels)), MOST_CHUNKS);
  const chunk = tables > 1 ? Math.max(SHORTEST_CHUNK, Math.ceil(tokens / tables)) : tokens;
  const chunks = Math.ceil(tokens / chunk);
  const sums = gpu.zeros(chunks > 1 ? [chunks, vocab, channels] : [vocab, channels]);
  for (const { loan, row, rows } of sums.parts) {
    gpu.engine.run('embedding-backward', {
      bind: [gpu.flat(inputs.ids), gpu.flat(grads.dy), loan],
      params: [tokens, channels, chunks > 1 ? 0 : row, chunks > 1 ? vocab : rows, chunk],
      groups: [Math.ceil(channels / 64), chunks],
    });
  }
  if (chunks === 1) return { dweight: sums };
  const dweight = gpu.make([vocab, channels]);
  columnSum(gpu, sums.loan, chunks, vocab * channels, dweight.loan);
  return { dweight };
}
