/*
 * What one decoded token costs on the mamba-130m shape: dispatches as `MambaLM.generate` enqueues them (on Dawn's null device, so
 * anywhere), bytes and flops as the kernels read, write and multiply them.
 * `pnpm exec tsx --conditions=@mamba-ts/source bench/count.ts`
 */
import { create } from 'webgpu';
import { costOfToken, dispatchesOfToken } from './cost.js';
import { MAMBA_130M } from './network.js';

const gpu = create(['backend=null']);
const rows: object[] = [];
for (const type of ['f32', 'f16', 'int8'] as const) {
  const { weights, state, between, flops } = costOfToken(MAMBA_130M, type);
  const { layer, ends } = await dispatchesOfToken(gpu, MAMBA_130M, type);
  rows.push({
    weights: type,
    dispatches: MAMBA_130M.layers * layer + ends,
    'a layer': layer,
    beside: ends,
    'MB weights + state': ((weights + state) / 1e6).toFixed(1),
    'MB in all': ((weights + state + between) / 1e6).toFixed(1),
    ratio: (1 + between / (weights + state)).toFixed(4),
    MFLOP: (flops / 1e6).toFixed(0),
  });
}
console.table(rows);
