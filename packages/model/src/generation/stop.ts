/**
 * Finds the first stop text in a stream of pieces. What could still become one is held back, so that nothing of it is
 * ever shown, wherever the pieces are cut.
 */
export class StopMatcher {
  readonly #stops: readonly string[];
  #held = '';

  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  /** -> what may be shown, and whether a stop text was found right after it. */
  push(piece: string): { text: string; stopped: boolean } {
    const text = this.#held + piece;
    const found = this.#stops.map((stop) => text.indexOf(stop)).filter((index) => index >= 0);
    if (found.length > 0) {
      this.#held = '';
      return { text: text.slice(0, Math.min(...found)), stopped: true };
    }
    const cut = text.length - this.#possible(text);
    this.#held = text.slice(cut);
    return { text: text.slice(0, cut), stopped: false };
  }

  /** What was held back: there is no more. */
  flush(): string {
    const text = this.#held;
    this.#held = '';
    return text;
  }

  /** Length of the longest end of the text that begins a stop text. */
  #possible(text: string): number {
    const longest = this.#stops.reduce((max, stop) => Math.max(max, stop.length - 1), 0);
    for (let length = Math.min(longest, text.length); length > 0; length--) {
      const end = text.slice(-length);
      if (this.#stops.some((stop) => stop.startsWith(end))) return length;
    }
    return 0;
  }
}
