import type { Choice } from './sampling.js';

/** Chooses tokens and reads them into the state: on the host, from all logits, or on the device. */
export interface TokenSource {
  /** The next token of each row that goes on, in their order. */
  next(): Promise<readonly Choice[]>;
  /** From here on only these rows go on; the others have read what was given out last. */
  keep(rows: readonly number[]): void;
  /** Reads what was given out and is not in the state yet. */
  settle(): void;
  /** Frees what it made. */
  dispose(): void;
}
