import { MambaError } from '@mamba-ts/backend';
import type { MambaState } from '../state/state.js';

/** How to choose the next token. */
export interface SamplingOptions {
  /** 0 is greedy: the most probable token. Default 1: the model's own distribution. */
  readonly temperature?: number | undefined;
  /** Keep the K most probable tokens; 0 (default) keeps all. */
  readonly topK?: number | undefined;
  /** Keep the fewest most probable tokens whose probabilities sum up to P; 1 (default) keeps all. */
  readonly topP?: number | undefined;
  /** Keep tokens at least P times as probable as the most probable; 0 (default) keeps all. */
  readonly minP?: number | undefined;
  /**
   * Divides positive and multiplies negative logits of every token that the prompt or the generated text has
   * (CTRL, arXiv 1909.05858); 1 (default) changes nothing.
   */
  readonly repetitionPenalty?: number | undefined;
  /** The same seed samples the same tokens. Row r of a batch samples as a row alone with seed + r. Default 0. */
  readonly seed?: number | undefined;
}

export interface GenerateOptions extends SamplingOptions {
  /** Tokens to generate at most, a row. Default 256. */
  readonly maxTokens?: number | undefined;
  /** Ends a row before the first of these that its text would show. Needs a tokenizer. */
  readonly stop?: string | readonly string[] | undefined;
  /** Ids that end a row; by default the model's and its tokenizer's. `null`: none do. */
  readonly eos?: number | readonly number[] | null | undefined;
  /** Stops within one token (or one chunk of the prompt), with `ABORTED`. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Continue from here rather than from nothing; its batch is the number of prompts. It moves along: when generation ends,
   * in whatever way, it has read the prompt and every token that was generated. (Aborted inside the prompt: as much of the
   * prompt as its `position` says.)
   */
  readonly state?: MambaState | undefined;
  /** Tokens of the prompt computed at once. */
  readonly chunkSize?: number | undefined;
}

/** The options with every default filled in, checked. */
export interface ResolvedSampling {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly repetitionPenalty: number;
  readonly seed: number;
}

/** @throws MambaError `INVALID_ARGUMENT` naming the option */
export function resolveSampling(options: SamplingOptions): ResolvedSampling {
  const { temperature = 1, topK = 0, topP = 1, minP = 0, repetitionPenalty = 1, seed = 0 } = options;
  check('temperature', temperature, Number.isFinite(temperature) && temperature >= 0, '0 or more');
  check('topK', topK, Number.isInteger(topK) && topK >= 0, 'a whole number, 0 for no limit');
  check('topP', topP, topP > 0 && topP <= 1, 'in (0, 1]');
  check('minP', minP, minP >= 0 && minP <= 1, 'in [0, 1]');
  check(
    'repetitionPenalty',
    repetitionPenalty,
    Number.isFinite(repetitionPenalty) && repetitionPenalty > 0,
    'above 0',
  );
  check('seed', seed, Number.isSafeInteger(seed), 'an integer of at most 53 bits');
  return { temperature, topK, topP, minP, repetitionPenalty, seed };
}

export function resolveMaxTokens({ maxTokens = 256 }: GenerateOptions): number {
  check('maxTokens', maxTokens, Number.isSafeInteger(maxTokens) && maxTokens >= 1, 'a whole number above 0');
  return maxTokens;
}

export function resolveStop({ stop = [] }: GenerateOptions): readonly string[] {
  const stops = typeof stop === 'string' ? [stop] : stop;
  const good = Array.isArray(stops) && stops.every((text) => typeof text === 'string' && text !== '');
  check('stop', JSON.stringify(stop), good, 'a text or a list of texts, none of them empty');
  return stops;
}

export function check(name: string, value: unknown, good: boolean, want: string): void {
  if (!good) {
    throw new MambaError('INVALID_ARGUMENT', `generate: ${name} must be ${want}, not ${String(value)}`, {
      details: { option: name },
    });
  }
}
