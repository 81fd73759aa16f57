import { type Tensor, throwIfAborted } from '@mamba-ts/backend';
import { Turns } from '../turn.js';
import type { ResolvedSampling } from './options.js';
import type { GenerationRows } from './rows.js';
import { type Choice, Sampler } from './sampling.js';
import type { TokenSource } from './token-source.js';

/** Reads the logits of every token, and chooses in this process. */
export class HostSource implements TokenSource {
  readonly #rows: GenerationRows;
  readonly #samplers: readonly Sampler[];
  readonly #signal: AbortSignal | undefined;
  readonly #turns = new Turns();
  #active: readonly number[];
  #logits: Tensor;
  /** Of each active row, its row in the logits. */
  #slots: readonly number[];
  /** Tokens that were given out but not yet read into the state. */
  #unread: readonly number[] = [];

  /** @param logits after the prompts, [B, V]: this source's to dispose */
  constructor(
    rows: GenerationRows,
    logits: Tensor,
    prompts: readonly ArrayLike<number>[],
    sampling: ResolvedSampling,
    vocabulary: number,
    signal: AbortSignal | undefined,
  ) {
    this.#rows = rows;
    this.#logits = logits;
    this.#samplers = prompts.map((prompt, r) => new Sampler(sampling, vocabulary, prompt, r));
    this.#signal = signal;
    this.#active = prompts.map((_, r) => r);
    this.#slots = this.#active;
  }

  async next(): Promise<readonly Choice[]> {
    if (this.#unread.length > 0) this.keep(this.#active);
    const data = (await this.#logits.data()) as Float32Array;
    const width = data.length / this.#logits.shape[0]!;
    this.#logits.dispose();
    await this.#turns.pass();
    throwIfAborted(this.#signal, 'generate');
    const choices = this.#active.map((row, i) => {
      const from = this.#slots[i]! * width;
      return this.#samplers[row]!.choose(data.subarray(from, from + width));
    });
    this.#unread = choices.map(({ token }) => token);
    return choices;
  }

  keep(rows: readonly number[]): void {
    this.#logits = this.#rows.step(this.#unread);
    this.#unread = [];
    this.#slots = rows.map((row) => this.#active.indexOf(row));
    this.#active = rows;
    this.#rows.keep(rows);
  }

  settle(): void {
    if (this.#unread.length > 0) this.#rows.step(this.#unread).dispose();
    this.#unread = [];
  }

  dispose(): void {
    this.#logits.dispose();
  }
}
