import { checkEmbedding, checkEmbeddingBackward, type EmbeddingInputs, type Tensor } from '@mamba-ts/backend';
import { fold, type Gpu } from '../gpu.js';
import { layoutOf } from '../layout.js';
import { weightSnippet } from './weights.js';

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
