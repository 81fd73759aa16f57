import { type EmbeddingInputs, MambaError, type Tensor } from '@mamba-ts/backend';
import { allocate, type Cpu, floats, ints, resultType, round } from '../cpu.js';

export function embedding(cpu: Cpu, { ids, weight }: EmbeddingInputs): Tensor {
  const [, columns] = weight.shape;
  const rows = ints(cpu, ids);
  const w = floats(cpu, weight);
  const y = allocate(resultType(weight), rows.length * columns);
  rows.forEach((id, i) => {
    if (id < 0 || id >= weight.shape[0]) throw new MambaError('SHAPE', `embedding: ids[${i}] is ${id}`);
    y.set(w.subarray(id * columns, (id + 1) * columns), i * columns);
  });
  return cpu.make(y, [...ids.shape, columns], resultType(weight));
}

export function embeddingBackward(
  cpu: Cpu,
  { ids, weight }: EmbeddingInputs,
  grads: { dy: Tensor },
): { dweight: Tensor } {
  const [vocabulary, columns] = weight.shape;
  const rows = ints(cpu, ids);
  const dy = floats(cpu, grads.dy);
  const dweight = new Float64Array(vocabulary * columns);
  rows.forEach((id, i) => {
    for (let j = 0; j < columns; j++) dweight[id * columns + j] += dy[i * columns + j];
  });
  return { dweight: round(cpu, dweight, weight.shape, resultType(grads.dy)) };
}
