import { MambaError } from '@mamba-ts/backend';
import { evaluateBatches } from '../evaluate.js';
import type { Batch, Task } from './task.js';

export interface TextSettings {
  /** Tokens of a training sequence. */
  length: number;
  /** Sequences of a training batch. */
  batch: number;
  /** Bytes of the validation part to evaluate on, from its start. Default all. */
  evalBytes?: number | undefined;
}

/**
 * Next-byte prediction on a file. The first 90 % (rounded down) are for training, the rest for validation.
 *
 * A training sequence is `length` + 1 bytes from a uniformly drawn place: ids are all but the last, targets all but the
 * first. The validation part is read once, as one sequence from a zero state, however long.
 *
 * @throws MambaError `INVALID_ARGUMENT` if the file is too short for one training sequence and two validation bytes
 */
export function textTask(bytes: Uint8Array, { length, batch, evalBytes = Infinity }: TextSettings): Task {
  const { training, validation } = splitText(bytes);
  for (const [name, value] of Object.entries({ length, batch })) {
    if (!Number.isInteger(value) || value < 1) {
      throw new MambaError(
        'INVALID_ARGUMENT',
        `text: ${name} must be an integer of at least 1, not ${value}`,
      );
    }
  }
  if (!(evalBytes >= 2)) {
    throw new MambaError('INVALID_ARGUMENT', `text: evalBytes must be at least 2, not ${evalBytes}`);
  }
  if (training.length < length + 1 || validation.length < 2) {
    throw new MambaError(
      'INVALID_ARGUMENT',
      `text: ${bytes.length} bytes are too few: training (90 %) needs ${length + 1}, one more than the length, ` +
        'and validation (10 %) needs 2',
    );
  }
  const places = training.length - length;
  const sequence = (from: Uint8Array, start: number, size: number) => ({
    ids: Array.from(from.subarray(start, start + size)),
    targets: Array.from(from.subarray(start + 1, start + 1 + size)),
  });
  const together = (sequences: { ids: number[]; targets: number[] }[]): Batch => ({
    ids: sequences.map(({ ids }) => ids),
    targets: sequences.map(({ targets }) => targets),
  });
  return {
    name: 'text',
    vocabSize: 256,
    chance: { loss: Math.log(256), tokenAccuracy: 1 / 256 },
    batch: (random) =>
      together(Array.from({ length: batch }, () => sequence(training, random.int(places), length))),
    evaluate: (model, options) =>
      evaluateBatches(
        model,
        [together([sequence(validation, 0, Math.min(evalBytes, validation.length) - 1)])],
        options,
      ),
  };
}

/** The first 90 % (rounded down) and the rest. */
export function splitText(bytes: Uint8Array): { training: Uint8Array; validation: Uint8Array } {
  const cut = Math.floor(bytes.length * 0.9);
  return { training: bytes.subarray(0, cut), validation: bytes.subarray(cut) };
}
