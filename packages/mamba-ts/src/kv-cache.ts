/**
 * Bytes of a transformer's KV cache in f32, to set a state's size against. Two Mamba blocks stand for one transformer
 * layer (attention and MLP), as in the paper, so a transformer of equal size has half the layers; each keeps a key and a
 * value of `dModel` a token.
 */
export function kvCacheBytes(dModel: number, mambaLayers: number, length: number): number {
  return 2 * 4 * dModel * Math.ceil(mambaLayers / 2) * length;
}
