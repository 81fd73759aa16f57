import { MambaError } from '@mamba-ts/backend';
import type { MambaConfig } from '../config/config.js';
import { checkIds } from '../ids.js';
import type { Tokenizer } from '../tokenizers/tokenizer.js';

/** Text, or token ids. */
export type Prompt = string | ArrayLike<number>;

export function isBatch(prompt: Prompt | readonly Prompt[]): prompt is readonly Prompt[] {
  return Array.isArray(prompt) && prompt.length > 0 && typeof prompt[0] !== 'number';
}

/**
 * Token ids of each prompt. An empty one at the start of a text is the model's BOS token, if it has one.
 * @throws MambaError `INVALID_ARGUMENT`
 */
export function encodePrompts(
  prompts: readonly Prompt[],
  config: MambaConfig,
  tokenizer: Tokenizer | undefined,
  atStart: boolean,
): ArrayLike<number>[] {
  return prompts.map((prompt, r) => {
    let ids = prompt;
    if (typeof ids === 'string') {
      if (!tokenizer) {
        throw new MambaError(
          'INVALID_ARGUMENT',
          'generate: the model has no tokenizer, so a prompt must be token ids; or load it with one (tokenizer.json beside config.json, or the tokenizer option)',
        );
      }
      ids = tokenizer.encode(ids, { special: atStart });
    }
    if (ids.length === 0 && atStart && config.bosTokenId !== undefined) ids = [config.bosTokenId];
    if (ids.length === 0) {
      throw new MambaError(
        'INVALID_ARGUMENT',
        `generate: prompt ${r} is empty; give at least one token to continue`,
      );
    }
    return checkIds(ids, config.paddedVocabSize, `generate: prompt ${r}`)[0]!;
  });
}
