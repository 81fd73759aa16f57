import type { Backend, SampleInputs, Tensor } from '@mamba-ts/backend';
import { Random } from '@mamba-ts/ssm';
import { type CapturedStep, type CapturingBackend, canCapture } from '../captured-step.js';
import { Turns } from '../turn.js';
import { diverged } from './diverged.js';
import type { ResolvedSampling } from './options.js';
import type { GenerationRows } from './rows.js';
import type { Choice } from './sampling.js';
import type { TokenSource } from './token-source.js';

/** A backend on which tokens can be chosen without reading logits. */
export type SamplingBackend = CapturingBackend & { readonly ops: { sample: Sample } };
type Sample = NonNullable<Backend['ops']['sample']>;
type Sampled = ReturnType<Sample>;

/** Whether a `DeviceSource` chooses the same tokens as a `HostSource` would: not where it must know those before. */
export function canSample(
  backend: Backend,
  dtype: 'f32' | 'f64',
  { repetitionPenalty }: ResolvedSampling,
): backend is SamplingBackend {
  return repetitionPenalty === 1 && canCapture(backend) && backend.supports('sample', { dtype });
}

/**
 * The next token stays on the device: it is sampled from a number drawn here (the very one that the host would draw), and the
 * step that reads it is enqueued before it is known here. 8 bytes a token come back.
 *
 * How far it runs ahead is what the caller's state allows. A state that the caller gave is to have read what was given out
 * and nothing more, so the step that reads a token is enqueued when that token is asked for, no sooner; a state that
 * nobody will see may run further ahead. A backend that computes at once is asked for a token when it is wanted.
 */
export class DeviceSource implements TokenSource {
  readonly #backend: SamplingBackend;
  readonly #rows: GenerationRows;
  readonly #dtype: 'f32' | 'f64';
  readonly #settings: Omit<SampleInputs, 'logits' | 'uniform'>;
  readonly #ahead: number;
  readonly #limit: number;
  readonly #randoms: readonly Random[];
  readonly #turns = new Turns();
  #active: readonly number[];
  /** Tokens that the next step reads; the step overwrites them with those that it samples. */
  #ids: Tensor;
  #uniform: Tensor | undefined;
  #step: CapturedStep<Sampled> | undefined;
  /** Tokens given out, and tokens read into the state. */
  #given = 0;
  #read = 0;
  /** Sampled, not given out yet. */
  readonly #pending: { rows: readonly number[]; values: Promise<[ArrayLike<number>, ArrayLike<number>]> }[] =
    [];

  /**
   * @param logits after the prompts, [B, V]: this source's to dispose
   * @param ahead how many tokens more than were given out the state reads as soon as another one is asked for
   * @param limit most tokens that the state is to read
   */
  constructor(
    backend: SamplingBackend,
    rows: GenerationRows,
    logits: Tensor,
    dtype: 'f32' | 'f64',
    { temperature, topK, topP, minP, seed }: ResolvedSampling,
    vocabulary: number,
    ahead: number,
    limit: number,
  ) {
    this.#backend = backend;
    this.#rows = rows;
    this.#dtype = dtype;
    this.#settings = { temperature, topK, topP, minP, vocabulary };
    this.#ahead = ahead;
    this.#limit = limit;
    this.#active = Array.from({ length: logits.shape[0]! }, (_, r) => r);
    this.#randoms = this.#active.map((r) => new Random(seed + r));
    this.#draw();
    const { token, logprob } = this.#sample(logits);
    logits.dispose();
    this.#ids = token;
    this.#await({ token, logprob });
    logprob.dispose();
  }

  async next(): Promise<readonly Choice[]> {
    while (this.#read < Math.min(this.#given + this.#ahead, this.#limit)) this.#enqueue();
    const { rows, values } = this.#pending.shift()!;
    const [tokens, logprobs] = await values;
    // On a backend that computes at once that was no wait, and the event loop did not turn.
    if (this.#ahead === 0) await this.#turns.pass();
    this.#given++;
    return this.#active.map((row) => {
      const slot = rows.indexOf(row);
      const logprob = logprobs[slot]!;
      if (!Number.isFinite(logprob)) throw diverged();
      return { token: tokens[slot]!, logprob };
    });
  }

  keep(rows: readonly number[]): void {
    if (rows.length === this.#active.length) return;
    this.settle();
    this.#rows.keep(rows);
    this.#step?.dispose();
    this.#step = undefined;
    const { ops } = this.#backend;
    const slots = rows.map((row) => this.#active.indexOf(row));
    const ids = this.#backend.scope(() => {
      const each = ops.split({ x: this.#ids, sizes: this.#active.map(() => 1), axis: 0 });
      return ops.concat({ tensors: slots.map((slot) => each[slot]!), axis: 0 });
    });
    this.#ids.dispose();
    this.#ids = ids;
    this.#uniform?.dispose();
    this.#uniform = undefined;
    this.#active = rows;
  }

  settle(): void {
    while (this.#read < this.#given) this.#enqueue();
  }

  dispose(): void {
    this.#step?.dispose();
    this.#ids.dispose();
    this.#uniform?.dispose();
  }

  /** The step that reads `#ids`, and samples the tokens after them. */
  #enqueue(): void {
    this.#draw();
    if (this.#step) this.#rows.replay(this.#step);
    else {
      this.#step = this.#rows.capture(this.#backend, this.#ids, (logits) => {
        const sampled = this.#sample(logits);
        this.#backend.write(this.#ids, sampled.token);
        return sampled;
      });
    }
    this.#read++;
    this.#await(this.#step.result);
  }

  /** A number for each row, of its own sequence. */
  #draw(): void {
    if (this.#settings.temperature === 0) return;
    const numbers = this.#active.map((row) => this.#randoms[row]!.next());
    if (this.#uniform) this.#backend.write(this.#uniform, numbers);
    else this.#uniform = this.#backend.tensor(numbers, [numbers.length], this.#dtype);
  }

  #sample(logits: Tensor): Sampled {
    return this.#backend.ops.sample({ ...this.#settings, logits, uniform: this.#uniform });
  }

  #await({ token, logprob }: Sampled): void {
    const values = Promise.all([token.data(), logprob.data()]);
    // Where the loop is left, nobody waits for it.
    values.catch(() => {});
    this.#pending.push({ rows: this.#active, values });
  }
}
