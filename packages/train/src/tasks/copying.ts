import { MambaError } from '@mamba-ts/backend';
import type { Random } from '@mamba-ts/ssm';
import type { Synthetic } from './synthetic.js';

export interface CopyingOptions {
  /** All tokens, noise and marker included. Default 16. */
  vocabSize?: number | undefined;
  /** Tokens to memorise. Default 16. */
  tokens?: number | undefined;
}

/**
 * Copying (arXiv 2312.00752, figure 2, left): tokens at fixed places, to be said again at the end. A convolution can do it:
 * only time counts, not content.
 *
 *     position   0 ... M-1   M ... L-M-1   L-M ... L-1
 *     id         data        0 (noise)     A-1 (marker)
 *     target     -           -             data, in order
 *
 * A is `vocabSize`, M is `tokens`; data are uniform in [1, A-2]; the loss counts at the markers only, and nothing that the
 * model says is fed back. Chance: 1 / (A - 2).
 */
export function copying(options: CopyingOptions = {}): Synthetic {
  return copyingTask('copying', options, (_random, _body, tokens) => [...Array(tokens).keys()]);
}

/**
 * Selective Copying (arXiv 2312.00752, figure 2, right, and table 1): the same, with the data at random places among the
 * noise. It takes selection: what to keep depends on what it is.
 *
 *     position   0 ... L-M-1                     L-M ... L-1
 *     id         data at M places, 0 elsewhere   A-1 (marker)
 *     target     -                               data, in order
 *
 * The M places are a uniform draw without repetition from [0, L-M). The paper's setting: A = 16, M = 16, L = 4096. Its code
 * was never published; ranges, marker and where the loss counts follow the generator of the S4 repository, which the paper
 * builds on, and L counts every token, the markers included.
 */
export function selectiveCopying(options: CopyingOptions = {}): Synthetic {
  return copyingTask('selective-copying', options, choose);
}

function copyingTask(
  name: string,
  { vocabSize = 16, tokens = 16 }: CopyingOptions,
  places: (random: Random, body: number, tokens: number) => number[],
): Synthetic {
  if (!Number.isInteger(vocabSize) || vocabSize < 4) {
    throw new MambaError('INVALID_ARGUMENT', `${name}: vocabSize must be at least 4, not ${vocabSize}`);
  }
  if (!Number.isInteger(tokens) || tokens < 1) {
    throw new MambaError('INVALID_ARGUMENT', `${name}: tokens must be at least 1, not ${tokens}`);
  }
  const symbols = vocabSize - 2;
  return {
    name,
    vocabSize,
    minLength: 2 * tokens,
    guesses: symbols,
    answers: tokens,
    example(random, length) {
      const body = length - tokens;
      const answers = Array.from({ length: tokens }, () => 1 + random.int(symbols));
      const ids = new Array<number>(length).fill(0, 0, body).fill(vocabSize - 1, body);
      for (const [i, place] of places(random, body, tokens).entries()) ids[place] = answers[i]!;
      return { ids, answers };
    },
  };
}

/** A uniform choice of `count` of the integers below `n`, ascending (Floyd's algorithm). */
function choose(random: Random, n: number, count: number): number[] {
  const chosen = new Set<number>();
  for (let top = n - count; top < n; top++) {
    const drawn = random.int(top + 1);
    chosen.add(chosen.has(drawn) ? top : drawn);
  }
  return [...chosen].sort((a, b) => a - b);
}
