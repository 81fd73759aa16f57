import { type Backend, type ComplexTensor, isComplex, type Tensor } from '@mamba-ts/backend';
import type { LayerState } from '../block.js';

/** Copies of the rows of a batch, each as a batch of one. */
export function splitRows(backend: Backend, layers: readonly LayerState[], batch: number): LayerState[][] {
  const cut = (x: Tensor) => backend.ops.split({ x, sizes: Array<number>(batch).fill(1), axis: 0 });
  return backend.scope(() => {
    const pieces = layers.map(({ conv, ssm }) => {
      const convs = cut(conv);
      if (!isComplex(ssm)) {
        const ssms = cut(ssm);
        return convs.map((conv, r) => ({ conv, ssm: ssms[r]! }));
      }
      const re = cut(ssm.re);
      const im = cut(ssm.im);
      return convs.map((conv, r) => ({ conv, ssm: { re: re[r]!, im: im[r]! } }));
    });
    return Array.from({ length: batch }, (_, r) => pieces.map((layer) => layer[r]!));
  });
}

/** One batch of several rows. */
export function joinRows(backend: Backend, rows: readonly (readonly LayerState[])[]): LayerState[] {
  const join = (tensors: Tensor[]) => backend.ops.concat({ tensors, axis: 0 });
  return backend.scope(() =>
    rows[0]!.map((first, layer) => {
      const of = (pick: (state: LayerState) => Tensor) => join(rows.map((row) => pick(row[layer]!)));
      return {
        conv: of(({ conv }) => conv),
        ssm: isComplex(first.ssm)
          ? { re: of(({ ssm }) => (ssm as ComplexTensor).re), im: of(({ ssm }) => (ssm as ComplexTensor).im) }
          : of(({ ssm }) => ssm as Tensor),
      };
    }),
  );
}
