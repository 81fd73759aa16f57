import type { Io } from './verb.js';

/** Work that ends sooner shows nothing. */
const DELAY_MS = 500;

/** A bar that redraws itself on a terminal, a plain line at every tenth elsewhere. */
export class Progress {
  readonly #io: Io;
  #begin: number | undefined;
  #lastTenth = -1;
  #drawn = false;

  constructor(io: Io) {
    this.#io = io;
  }

  show(label: string, done: number, total: number): void {
    this.#begin ??= performance.now();
    if (performance.now() - this.#begin < DELAY_MS) return;
    const share = total > 0 ? Math.min(1, done / total) : 1;
    if (this.#io.isTerminal) {
      const bar = '#'.repeat(Math.round(share * 24)).padEnd(24, '.');
      this.#io.note(`\r\x1b[K${bar} ${(share * 100).toFixed(0).padStart(3)} % ${label}`);
      this.#drawn = true;
      return;
    }
    const tenth = Math.floor(share * 10);
    if (tenth !== this.#lastTenth) this.#io.note(`${(share * 100).toFixed(0)} % ${label}\n`);
    this.#lastTenth = tenth;
  }

  /** Wipes the bar, so that what is printed next starts on a clean line. */
  clear(): void {
    if (this.#drawn) this.#io.note('\r\x1b[K');
    this.#drawn = false;
  }
}
