import { MambaError } from '@mamba-ts/backend';
import type { Synthetic } from './synthetic.js';

export interface InductionHeadsOptions {
  /** Ordinary tokens; the special one comes on top. Default 16. */
  symbols?: number | undefined;
}

/**
 * Induction heads (arXiv 2312.00752, section 4.1.2): recall what followed a special token the last time it was seen.
 *
 *     position   0 ... p-1   p   p+1   p+2 ... L-2   L-1
 *     id         noise       S   M     noise         S
 *     target     -           -   -     -             M
 *
 * - Noise and M are uniform in [0, symbols); S is the id `symbols`, so the vocabulary has `symbols` + 1 tokens.
 * - p is uniform in [0, L-3]. S occurs nowhere else.
 * - The loss counts at the last position only.
 *
 * The paper says "vocabulary 16" and not where the first S stands; here 16 are the ordinary tokens, and p is uniform, so
 * that a test at length L covers every distance up to L. Chance: 1 / symbols.
 */
export function inductionHeads({ symbols = 16 }: InductionHeadsOptions = {}): Synthetic {
  if (!Number.isInteger(symbols) || symbols < 2) {
    throw new MambaError('INVALID_ARGUMENT', `induction heads: symbols must be at least 2, not ${symbols}`);
  }
  return {
    name: 'induction-heads',
    vocabSize: symbols + 1,
    minLength: 3,
    guesses: symbols,
    answers: 1,
    example(random, length) {
      const ids = Array.from({ length: length - 1 }, () => random.int(symbols));
      const marker = random.int(length - 2);
      ids[marker] = symbols;
      ids.push(symbols);
      return { ids, answers: [ids[marker + 1]!] };
    },
  };
}
