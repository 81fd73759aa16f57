import { checkEmbedding, checkEmbeddingBackward, type EmbeddingInputs, type Tensor } from '@mamba-ts/backend';
import { fold, type Gpu } from '../gpu.js';
import { layoutOf } from '../layout.js';
import { columnSum } from './reductions.js';
import { weightSnippet } from './weights.js';

/** Floats of all chunks' tables together, 32 MB: a vocabulary of bytes is summed in tables, one of words along links. */
const TABLES = 2 ** 23;
/** Tokens a chunk of them: each is one thread's turn, and each table one more to add up. */
const SHORTEST_CHUNK = 32;
const LONGEST_CHUNK = 1024;
/** What one dimension of a dispatch may count. */
const MOST_CHUNKS = 65535;

/** An id outside the table leaves zeros. */
export function embedding(gpu: Gpu, inputs: EmbeddingInputs): Tensor {
  const { rows: tokens, channels, vocab, shape } = checkEmbedding(inputs);
  const weight = gpu.get(inputs.weight);
  const { pitch } = layoutOf(weight.shape, weight.dtype);
  const y = gpu.make(shape, 'f32', 'embedding');
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
  const ids = gpu.flat(inputs.ids);
  const tables = Math.floor(TABLES / (vocab * channels));
  const chunk = Math.max(SHORTEST_CHUNK, Math.ceil(tokens / Math.min(tables, MOST_CHUNKS)));
  if (tables > 0 && chunk <= LONGEST_CHUNK) {
    const chunks = Math.ceil(tokens / chunk);
    const sums = gpu.make([chunks, vocab, channels], 'f32', 'gradients of the embedding by chunk').loan;
    const dy = gpu.flat(grads.dy);
    gpu.engine.run('embedding-tables', {
      bind: [ids, dy, sums],
      params: [tokens, channels, vocab, chunk],
      groups: [Math.ceil(channels / 64), chunks],
    });
    const dweight = gpu.make([vocab, channels], 'f32', 'gradient of the embedding');
    columnSum(gpu, sums, chunks, vocab * channels, dweight.loan);
    return { dweight };
  }
  const links = gpu.make([2, tokens], 'i32', 'token links').loan;
  gpu.engine.run('embedding-links', {
    bind: [ids, links],
    params: [tokens],
    groups: fold(Math.ceil(tokens / 64)),
  });
  const dweight = gpu.zeros([vocab, channels], 'f32', 'gradient of the embedding');
  const dy = gpu.flat(grads.dy);
  for (const { loan, row, rows } of dweight.parts) {
    gpu.engine.run('embedding-backward', {
      bind: [ids, links, dy, loan],
      params: [tokens, channels, row, rows],
      groups: fold(Math.ceil((tokens * channels) / 64)),
    });
  }
  return { dweight };
}
