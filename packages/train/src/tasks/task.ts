import type { Random } from '@mamba-ts/ssm';
import type { EvaluateOptions, Evaluation } from '../evaluate.js';
import type { Trainable } from '../trainable.js';

/** A target that does not count towards the loss. */
export const IGNORE = -100;

/** Sequences of one length, [B][L] each: `targets[b][t]` is what to predict after `ids[b][0..t]`, or IGNORE. */
export interface Batch {
  ids: number[][];
  targets: number[][];
}

/** What a guesser that learned nothing gets: the bar to be above. */
export interface Chance {
  /** Nats. */
  loss: number;
  tokenAccuracy: number;
  /** Of the sequences whose every counted token is right; absent where there is but one sequence. */
  sequenceAccuracy?: number;
}

/** What is learned. Holds no position of its own: the trainer's `Random` is the data position. */
export interface Task {
  readonly name: string;
  /** Ids are in [0, vocabSize). */
  readonly vocabSize: number;
  readonly chance: Chance;
  /** The next training batch, a function of the generator's state alone. */
  batch(random: Random): Batch;
  /** On data that training does not draw; the same data at every call. */
  evaluate(model: Trainable, options?: EvaluateOptions): Promise<Evaluation>;
}
