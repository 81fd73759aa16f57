import type { MambaConfig } from './config/config.js';

const SAMPLES = 256;

/** Up to 256 values of a parameter, evenly spread and rounded to f32: enough to tell one training step from the next. */
export function sample(values: ArrayLike<number>): Float32Array {
  const step = Math.max(1, Math.ceil(values.length / SAMPLES));
  return Float32Array.from({ length: Math.ceil(values.length / step) }, (_, i) => values[i * step]!);
}

/**
 * Names a model by what it computes: its architecture and a sample of its weights, in 16 hexadecimal digits. The same for
 * both naming schemes of checkpoints, on every backend, and for every type that the weights are loaded as.
 */
export function fingerprint(config: MambaConfig, samples: ReadonlyMap<string, Float32Array>): string {
  const { dModel, nLayer, dInner, dState, dConv, dtRank, rmsNorm, normEps, dIntermediate } = config;
  const { paddedVocabSize, mixer, selective, complexA, gate, tieEmbeddings } = config;
  const architecture = [
    ...[dModel, nLayer, dInner, dState, dConv, dtRank, rmsNorm, normEps, dIntermediate, paddedVocabSize],
    ...[mixer, selective.delta, selective.B, selective.C, complexA, gate, tieEmbeddings],
  ];
  const hash = new Fnv64();
  hash.add(new TextEncoder().encode(JSON.stringify(architecture)));
  for (const [name, values] of samples) {
    hash.add(new TextEncoder().encode(name));
    hash.add(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  return hash.hex();
}

/** FNV-1a over two 32-bit lanes of different offsets: not for secrets, only to tell models apart. */
class Fnv64 {
  #a = 0x811c9dc5;
  #b = 0x9e3779b1;

  add(bytes: Uint8Array): void {
    for (const byte of bytes) {
      this.#a = Math.imul(this.#a ^ byte, 0x01000193);
      this.#b = Math.imul(this.#b ^ byte ^ (this.#a >>> 24), 0x01000193);
    }
  }

  hex(): string {
    return [this.#a, this.#b].map((lane) => (lane >>> 0).toString(16).padStart(8, '0')).join('');
  }
}
