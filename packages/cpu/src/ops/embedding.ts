import { checkEmbedding, checkEmbeddingBackward, checkId } from '@mamba-ts/backend';
import { floats, ints, weightRows } from '../cpu-tensor.js';
import type { Kernel } from '../kernel.js';

/** y = weight[id] */
export const embedding: Kernel<'embedding'> = (make, inputs) => {
  const { dtype, rows, vocab, channels, shape } = checkEmbedding(inputs);
  const ids = ints(inputs.ids);
  const y = make(shape, dtype);
  const values = floats(y);
  for (let row = 0; row < rows; row++) {
    const id = ids[row];
    checkId('embedding', 'ids', id, vocab);
    values.set(weightRows(inputs.weight, id, id + 1), row * channels);
  }
  return y;
};

/** dweight[v] = sum of dy over the places where the id is v */
export const embeddingBackward: Kernel<'embeddingBackward'> = (make, inputs, { dy }) => {
  const { dtype, rows, vocab, channels } = checkEmbeddingBackward(inputs, { dy });
  const ids = ints(inputs.ids);
  const gradient = floats(dy);
  const places = new Map<number, number[]>();
  for (let row = 0; row < rows; row++) {
    const id = ids[row];
    checkId('embeddingBackward', 'ids', id, vocab);
    const known = places.get(id);
    if (known) known.push(row);
    else places.set(id, [row]);
  }
  const dweight = make([vocab, channels], dtype);
  const values = floats(dweight);
  const sum = new Float64Array(channels);
  for (const [id, rowsOfId] of places) {
    sum.fill(0);
    for (const row of rowsOfId) {
      for (let d = 0; d < channels; d++) sum[d] += gradient[row * channels + d];
    }
    values.set(sum, id * channels);
  }
  return { dweight };
};
