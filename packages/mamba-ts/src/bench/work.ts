import { INT8_BLOCK } from '@mamba-ts/backend';
import type { MambaConfig } from '@mamba-ts/model';

/* What a token costs, counted: the figures that shares of a machine's limits are made of. */

/** Weights that a token is multiplied with, in the layers and in the head. */
function matrixNumbers({ nLayer, dModel, dInner, dtRank, dState, paddedVocabSize }: MambaConfig) {
  const layer = 2 * dInner * dModel + (dtRank + 2 * dState) * dInner + dInner * dtRank + dModel * dInner;
  return { layers: nLayer * layer, head: paddedVocabSize * dModel };
}

/** Floating-point operations of the projections for one token of a prompt; the head is needed for the last one only. */
export function prefillFlops(config: MambaConfig): number {
  return 2 * matrixNumbers(config).layers;
}

const BYTES = { f64: 8, f32: 4, f16: 2, bf16: 2, int8: 1 + 4 / INT8_BLOCK } as const;
export type WeightType = keyof typeof BYTES;

/** Bytes that one decoded token must read: every weight once, and the state once in and once out. */
export function decodeBytes(config: MambaConfig, weight: WeightType): number {
  const { nLayer, dInner, dState, dConv } = config;
  const { layers, head } = matrixNumbers(config);
  const small = nLayer * dInner * (dState + dConv + 3);
  const state = nLayer * dInner * (dState + dConv - 1);
  return (layers + head) * BYTES[weight] + 4 * small + 2 * 4 * state;
}
