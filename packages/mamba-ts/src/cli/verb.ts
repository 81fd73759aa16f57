import type { Options, Values } from './options.js';

/** Where a verb reads and writes; tests hand in their own. */
export interface Io {
  /** Results. */
  out(text: string): void;
  /** Progress, notes and errors. */
  note(text: string): void;
  /** Whether `note` goes to a terminal: progress bars there, plain lines in a pipe. */
  readonly isTerminal: boolean;
  /** Fires on Ctrl-C. */
  readonly signal: AbortSignal;
}

/** One command of `mamba-ts`. */
export interface Verb {
  readonly name: string;
  readonly summary: string;
  readonly example: string;
  readonly options: Options;
  /** The option that may be given first, without its name: `experiment copying`. */
  readonly argument?: string;
  run(values: Values, io: Io): Promise<void>;
}
