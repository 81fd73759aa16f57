import { Detokenizer } from '../tokenizers/detokenizer.js';
import type { Tokenizer } from '../tokenizers/tokenizer.js';
import { StopMatcher } from './stop.js';

/** Why a row ended: an EOS token, a stop text, or `maxTokens`. */
export type FinishReason = 'eos' | 'stop' | 'length';

/** From the tokens of a row to the text that may be shown. */
export class TextStream {
  readonly #detokenizer: Detokenizer;
  readonly #stops: StopMatcher;

  constructor(tokenizer: Tokenizer, stops: readonly string[], prompt: ArrayLike<number>) {
    this.#detokenizer = new Detokenizer(tokenizer, prompt);
    this.#stops = new StopMatcher(stops);
  }

  /** @param ended whether, and why, this is the last token: then nothing is held back. An EOS token itself has no text. */
  push(token: number, ended: 'eos' | 'length' | undefined): { text: string; stopped: boolean } {
    const said = ended === 'eos' ? '' : this.#detokenizer.push(token);
    const found = this.#stops.push(ended ? said + this.#detokenizer.flush() : said);
    return ended && !found.stopped ? { text: found.text + this.#stops.flush(), stopped: false } : found;
  }
}
