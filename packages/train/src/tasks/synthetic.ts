import { MambaError } from '@mamba-ts/backend';
import { Random } from '@mamba-ts/ssm';
import { evaluateBatches } from '../evaluate.js';
import { type Batch, type Chance, IGNORE, type Task } from './task.js';

/** A task of made-up sequences that end in their answers. */
export interface Synthetic {
  readonly name: string;
  readonly vocabSize: number;
  /** The shortest sequence that has room for everything. */
  readonly minLength: number;
  /** How many tokens an answer may be: a guesser is right once in so many. */
  readonly guesses: number;
  /** Answers a sequence; they are the targets of its last positions. */
  readonly answers: number;
  example(random: Random, length: number): { ids: number[]; answers: number[] };
}

export interface SyntheticSettings {
  /** Tokens of a training sequence; of the longest, with `minLength`. */
  length: number;
  /**
   * Tokens of the shortest training sequence. Default `length`: all are of one length. Below it each batch has a length of
   * its own, drawn log-uniformly from [minLength, length]: many answers for few tokens, which is what learning starts from.
   */
  minLength?: number | undefined;
  /** Sequences of a training batch. */
  batch: number;
  /** Tokens of an evaluation sequence. Default `length`. */
  evalLength?: number | undefined;
  /** Sequences of an evaluation. Default 256. */
  evalSequences?: number | undefined;
  /** Sequences evaluated at once. Default 16, fewer where those would pass 2^22 tokens, whose ids must be in memory. */
  evalBatch?: number | undefined;
  /** Of the evaluation's sequences. They do not depend on the training seed. Default 20240527. */
  evalSeed?: number | undefined;
}

/** Sequences of a synthetic task: `batch` of them, of `length` tokens each. */
export function syntheticBatch(task: Synthetic, random: Random, length: number, batch: number): Batch {
  const examples = Array.from({ length: batch }, () => task.example(random, length));
  return {
    ids: examples.map(({ ids }) => ids),
    targets: examples.map(({ answers }) => [...new Array(length - answers.length).fill(IGNORE), ...answers]),
  };
}

export function syntheticChance({ guesses, answers }: Synthetic): Chance {
  return { loss: Math.log(guesses), tokenAccuracy: 1 / guesses, sequenceAccuracy: guesses ** -answers };
}

/**
 * A synthetic task at given lengths, for the trainer.
 * @throws MambaError `INVALID_ARGUMENT` for a length that has no room for the task, or a count below 1
 */
export function syntheticTask(task: Synthetic, settings: SyntheticSettings): Task {
  const {
    length,
    minLength = length,
    batch,
    evalLength = length,
    evalSequences = 256,
    evalBatch = Math.max(1, Math.min(16, Math.floor(2 ** 22 / evalLength))),
    evalSeed = 20240527,
  } = settings;
  for (const [name, value, min] of [
    ['length', length, task.minLength],
    ['minLength', minLength, task.minLength],
    ['length', length, minLength],
    ['evalLength', evalLength, task.minLength],
    ['batch', batch, 1],
    ['evalSequences', evalSequences, 1],
    ['evalBatch', evalBatch, 1],
  ] as const) {
    if (!Number.isInteger(value) || value < min) {
      throw new MambaError(
        'INVALID_ARGUMENT',
        `${task.name}: ${name} must be an integer of at least ${min}, not ${value}`,
      );
    }
  }
  return {
    name: task.name,
    vocabSize: task.vocabSize,
    chance: syntheticChance(task),
    batch: (random) => {
      const drawn =
        minLength === length ? length : Math.round(minLength * (length / minLength) ** random.next());
      return syntheticBatch(task, random, drawn, batch);
    },
    evaluate(model, options) {
      const random = new Random(evalSeed);
      return evaluateBatches(model, batches(), options);

      function* batches(): Generator<Batch> {
        for (let done = 0; done < evalSequences; done += evalBatch) {
          yield syntheticBatch(task, random, evalLength, Math.min(evalBatch, evalSequences - done));
        }
      }
    },
  };
}
