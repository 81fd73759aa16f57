import { INT8_BLOCK } from '@mamba-ts/backend';
import { MambaLM } from '@mamba-ts/model';
import { createWebgpuBackend } from '../src/index.js';
import type { Shape, WeightType } from './network.js';

/** What one decoded token reads, writes and multiplies, as the kernels do: each buffer once a kernel. */
export interface Cost {
  /** Bytes of weights and constants read. */
  weights: number;
  /** Bytes of states read and written. */
  state: number;
  /** Bytes of everything between the kernels, read and written, each once. */
  between: number;
  flops: number;
}

/** Rows as they lie in memory: 16-byte rows; int8 with a scale for each block. */
function matrixBytes(rows: number, columns: number, type: WeightType): number {
  if (type === 'f32') return 4 * rows * columns;
  if (type === 'f16') return rows * 16 * Math.ceil(columns / 8);
  return rows * (16 * Math.ceil(columns / 16) + 4 * Math.ceil(columns / INT8_BLOCK));
}

export function costOfToken(shape: Shape, type: WeightType): Cost {
  const { layers, model, inner, states, rank, width, vocab } = shape;
  const projected = rank + 2 * states;
  const matrices: [number, number][] = [
    [2 * inner, model],
    [projected, inner],
    [inner, rank],
    [model, inner],
  ];
  const vectors = model + inner * (width + 1) + inner + inner * states + inner;
  const stateFloats = inner * states + inner * (width - 1);
  // step-in reads x and residual, writes their sum and u, z; x_proj reads u; step-scan reads what x_proj wrote, u and z, writes
  // y; out_proj reads y and writes x.
  const betweenFloats =
    3 * model + 2 * inner + (inner + projected) + (projected + 2 * inner + inner) + (inner + model);
  const layer: Cost = {
    weights: matrices.reduce((sum, [r, c]) => sum + matrixBytes(r, c, type), 0) + 4 * vectors,
    state: 2 * 4 * stateFloats,
    between: 4 * betweenFloats,
    flops: matrices.reduce((sum, [r, c]) => sum + 2 * r * c, 0) + inner * (2 * width + 7 * states),
  };
  // Embedding row, final norm, head, sampling from the logits.
  const ends: Cost = {
    weights: matrixBytes(vocab, model, type) + matrixBytes(1, model, type) + 4 * model,
    state: 0,
    between: 4 * (model + 3 * model + model + 2 * vocab),
    flops: 2 * vocab * model,
  };
  const total = (key: keyof Cost) => layers * layer[key] + ends[key];
  return {
    weights: total('weights'),
    state: total('state'),
    between: total('between'),
    flops: total('flops'),
  };
}

/** Kernels of one token, a layer and beside the layers. Models of two and of three layers tell; few ids are as many kernels. */
export async function dispatchesOfToken(
  gpu: GPU,
  { model: dModel, states: dState, vocab }: Shape,
  type: WeightType,
): Promise<{ layer: number; ends: number }> {
  const backend = await createWebgpuBackend({ gpu });
  const count = async (nLayer: number) => {
    const vocabSize = Math.min(vocab, 1024);
    const lm = await MambaLM.create({ dModel, dState, nLayer, vocabSize }, { backend, dtype: type });
    const seen: number[] = [];
    for await (const _ of lm.generate([1], { maxTokens: 12, temperature: 0.8, topK: 40, eos: null }))
      seen.push(backend.counters.dispatches);
    lm.dispose();
    return seen[8]! - seen[7]!;
  };
  const [two, three] = [await count(2), await count(3)];
  await backend.dispose();
  return { layer: three - two, ends: 3 * two - 2 * three };
}
