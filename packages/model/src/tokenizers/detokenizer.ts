import type { Tokenizer } from './tokenizer.js';

/** Tokens that a window keeps of what was said: enough for a decoder that looks back, small enough to decode each time. */
const CONTEXT = 8;
const REPLACEMENT = '\ufffd';

/**
 * Turns tokens into text as they come, never half a character. An incomplete UTF-8 character at the end decodes to one
 * U+FFFD: that one is held back until the next token decides it. Decoding starts a few tokens back, since some tokenizers
 * decode a token differently at the start of a text.
 */
export class Detokenizer {
  readonly #tokenizer: Tokenizer;
  #window: number[];
  /** Length of the window's text that was given out. */
  #given: number;

  /** @param prompt what was read before the first token */
  constructor(tokenizer: Tokenizer, prompt: ArrayLike<number>) {
    this.#tokenizer = tokenizer;
    this.#window = Array.from(prompt).slice(-CONTEXT);
    this.#given = certain(tokenizer.decode(this.#window)).length;
  }

  /** -> the text that became certain with this token. */
  push(token: number): string {
    this.#window.push(token);
    const full = this.#tokenizer.decode(this.#window);
    const sure = certain(full);
    const text = sure.slice(this.#given);
    this.#given = Math.max(this.#given, sure.length);
    if (sure.length === full.length && this.#window.length > 2 * CONTEXT) {
      this.#window = this.#window.slice(-CONTEXT);
      this.#given = this.#tokenizer.decode(this.#window).length;
    }
    return text;
  }

  /** The end: what was held back, as U+FFFD. */
  flush(): string {
    const full = this.#tokenizer.decode(this.#window);
    const text = full.slice(this.#given);
    this.#given = full.length;
    return text;
  }
}

function certain(text: string): string {
  return text.endsWith(REPLACEMENT) ? text.slice(0, -1) : text;
}
