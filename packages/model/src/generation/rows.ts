import type { Tensor } from '@mamba-ts/backend';
import type { CapturedStep, CapturingBackend } from '../captured-step.js';
import type { Engine } from '../engine.js';
import { joinRows, splitRows } from '../state/rows.js';
import { MambaState, type StateModel } from '../state/state.js';

/**
 * The rows of a batch while it is generated: they begin with prompts of unequal lengths and end at different tokens, but
 * step together while they last. `whole` is the state that the caller sees: it steps itself as long as all rows do, and is
 * put together again by `finish`.
 */
export class GenerationRows {
  readonly #engine: Engine;
  readonly #model: StateModel;
  readonly #whole: MambaState;
  /** The rows that step, and their state. */
  #active: readonly number[];
  #state: MambaState;
  /** Tokens read by each row. */
  readonly #positions: number[];
  /** Rows that do not step, each with a state of its own. */
  readonly #parked = new Map<number, MambaState>();

  constructor(engine: Engine, model: StateModel, whole: MambaState) {
    this.#engine = engine;
    this.#model = model;
    this.#whole = whole;
    this.#active = Array.from({ length: whole.batch }, (_, r) => r);
    this.#state = whole;
    this.#positions = this.#active.map(() => whole.position);
  }

  /** Reads the prompts. -> logits [B, V] */
  async prefill(
    prompts: readonly ArrayLike<number>[],
    chunkSize: number,
    signal: AbortSignal | undefined,
  ): Promise<Tensor> {
    const length = prompts[0]!.length;
    if (prompts.every((prompt) => prompt.length === length)) {
      const logits = await this.#engine.prefill(prompts, this.#whole, chunkSize, signal);
      this.#positions.fill(this.#whole.position);
      return logits;
    }
    // Padding would be read into the state. So each row alone, and then one batch of what they come to.
    const rows = this.#active;
    this.#park();
    const logits: Tensor[] = [];
    try {
      for (const r of rows) {
        logits.push(await this.#engine.prefill([prompts[r]!], this.#parked.get(r)!, chunkSize, signal));
      }
      this.#gather(rows);
      return this.#engine.backend.ops.concat({ tensors: logits, axis: 0 });
    } finally {
      for (const tensor of logits) tensor.dispose();
    }
  }

  /** One token for each active row, in order. -> logits, one row each */
  step(tokens: readonly number[]): Tensor {
    const logits = this.#engine.step(tokens, this.#state);
    for (const r of this.#active) this.#positions[r]!++;
    return logits;
  }

  /**
   * The same with the tokens in `ids` on the device, recorded for `replay`; `then` makes of the logits what is kept. Good until
   * fewer rows step on.
   */
  capture<T extends Readonly<Record<string, Tensor>>>(
    backend: CapturingBackend,
    ids: Tensor,
    then: (logits: Tensor) => T,
  ): CapturedStep<T> {
    const step = this.#engine.capture(backend, ids, this.#state, then);
    for (const r of this.#active) this.#positions[r]!++;
    return step;
  }

  replay(step: CapturedStep<Readonly<Record<string, Tensor>>>): void {
    this.#engine.check('generate');
    step.run();
    for (const r of this.#active) this.#positions[r]!++;
  }

  /** Only these rows step on; not none. */
  keep(rows: readonly number[]): void {
    if (rows.length === this.#active.length) return;
    this.#park();
    this.#gather(rows);
  }

  /** Puts the caller's state together. */
  finish(): void {
    if (this.#state === this.#whole && this.#parked.size === 0) return;
    this.#park();
    const rows = [...this.#positions.keys()].map((r) => this.#parked.get(r)!);
    const layers = joinRows(
      this.#engine.backend,
      rows.map((row) => row.layers),
    );
    this.#whole.advance(Math.max(...rows.map((row) => row.position)) - this.#whole.position, layers);
  }

  /** Frees everything but the caller's state. */
  dispose(): void {
    if (this.#state !== this.#whole) this.#state.dispose();
    for (const state of this.#parked.values()) state.dispose();
  }

  /** Gives each active row a state of its own. */
  #park(): void {
    if (this.#active.length === 0) return;
    const layers = splitRows(this.#engine.backend, this.#state.layers, this.#active.length);
    this.#active.forEach((r, i) => {
      this.#parked.set(r, new MambaState(this.#model, layers[i]!, 1, this.#positions[r]!));
    });
    if (this.#state !== this.#whole) this.#state.dispose();
    this.#active = [];
  }

  /** Makes parked rows one batch that steps. */
  #gather(rows: readonly number[]): void {
    const states = rows.map((r) => this.#parked.get(r)!);
    const layers = joinRows(
      this.#engine.backend,
      states.map((state) => state.layers),
    );
    this.#state = new MambaState(this.#model, layers, rows.length, 0);
    this.#active = rows;
    rows.forEach((r, i) => {
      this.#positions[r] = states[i]!.position;
      states[i]!.dispose();
      this.#parked.delete(r);
    });
  }
}
