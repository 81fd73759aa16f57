import type { Backend } from '@mamba-ts/backend';
import { MambaLM } from '@mamba-ts/model';

/** The embedded model of the package mamba-ts, byte by byte. */
export const EMBEDDED = new URL('../../mamba-ts/models/tiny-shakespeare/', import.meta.url);

export interface Divergence {
  /** Mean of KL(f32 || narrow) over the tokens, in nats. */
  readonly mean: number;
  readonly largest: number;
  readonly tokens: number;
}

/** How far the predictions with narrow weights are from those with f32 weights, over a text in rows of 512 bytes. */
export async function divergence(
  backend: Backend,
  dtype: 'f16' | 'bf16' | 'int8',
  text: Uint8Array,
): Promise<Divergence> {
  const wide = await MambaLM.fromPretrained(EMBEDDED, { backend, dtype: 'f32' });
  const narrow = await MambaLM.fromPretrained(EMBEDDED, { backend, dtype });
  let [sum, largest, tokens] = [0, 0, 0];
  for (let from = 0; from < text.length; from += 512) {
    const ids = text.subarray(from, from + 512);
    const [p, q] = await Promise.all(
      [wide, narrow].map(async (lm) => {
        const { logits } = lm.forward(ids);
        const vocab = logits.shape.at(-1) as number;
        const data = await logits.data();
        logits.dispose();
        return Array.from(ids, (_, t) => logSoftmax(data.subarray(t * vocab, (t + 1) * vocab)));
      }),
    );
    p.forEach((row, t) => {
      const kl = row.reduce((total, log, i) => total + Math.exp(log) * (log - q[t][i]), 0);
      sum += kl;
      largest = Math.max(largest, kl);
      tokens++;
    });
  }
  wide.dispose();
  narrow.dispose();
  return { mean: sum / tokens, largest, tokens };
}

function logSoftmax(logits: ArrayLike<number>): number[] {
  const values = Array.from(logits);
  const top = Math.max(...values);
  const sum = Math.log(values.reduce((total, value) => total + Math.exp(value - top), 0)) + top;
  return values.map((value) => value - sum);
}
