/*
 * What one decoded token costs on the mamba-130m shape: dispatches as they are enqueued (on Dawn's null device, so anywhere),
 * bytes and flops as the kernels read, write and multiply them. `pnpm exec tsx --conditions=@mamba-ts/source bench/count.ts`
 */
import { create } from 'webgpu';
import { createWebgpuBackend } from '../src/index.js';
import { MAMBA_130M, Network, type Shape, type WeightType } from './network.js';

interface Cost {
  /** Bytes of weights and constants read. */
  weights: number;
  /** Bytes of states read and written. */
  state: number;
  /** Bytes of everything between the kernels, read and written, each once. */
  between: number;
  flops: number;
}

/** Rows as they lie in memory: 16-byte rows; int8 with a scale for each 32. */
function matrixBytes(rows: number, columns: number, type: WeightType): number {
  if (type === 'f32') return 4 * rows * columns;
  if (type === 'f16') return rows * 16 * Math.ceil(columns / 8);
  return rows * (16 * Math.ceil(columns / 16) + 4 * Math.ceil(columns / 32));
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
  // Embedding row, final norm, head, argmax over the logits.
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

async function main(): Promise<void> {
  const gpu = create(['backend=null']);
  const rows: object[] = [];
  for (const type of ['f32', 'f16', 'int8'] as const) {
    const cost = costOfToken(MAMBA_130M, type);
    for (const fused of [true, false]) {
      const backend = await createWebgpuBackend({ gpu });
      // Two layers tell: the others are enqueued as these.
      const few = async (layers: number) => {
        const network = new Network(backend, { ...MAMBA_130M, layers, vocab: 8200 }, type);
        const id = backend.tensor([1], [1], 'i32');
        const state = network.createState();
        const before = backend.counters.dispatches;
        backend.scope(() => {
          backend.write(id, backend.ops.argmax({ x: network.step(id, state, fused) }));
        });
        return backend.counters.dispatches - before;
      };
      const [one, two] = [await few(1), await few(2)];
      const each = two - one;
      rows.push({
        weights: type,
        path: fused ? 'mambaStep' : 'single ops',
        dispatches: MAMBA_130M.layers * each + (one - each),
        'a layer': each,
        'MB weights + state': ((cost.weights + cost.state) / 1e6).toFixed(1),
        ...(fused
          ? {
              'MB in all': ((cost.weights + cost.state + cost.between) / 1e6).toFixed(1),
              ratio: (1 + cost.between / (cost.weights + cost.state)).toFixed(4),
              MFLOP: (cost.flops / 1e6).toFixed(0),
            }
          : {}),
      });
      await backend.dispose();
    }
  }
  console.table(rows);
}

await main();
