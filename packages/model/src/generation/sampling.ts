import { MambaError } from '@mamba-ts/backend';
import { Random } from '@mamba-ts/ssm';
import type { ResolvedSampling } from './options.js';

export interface Choice {
  readonly token: number;
  /** Natural logarithm of the token's probability under the model, before every option. */
  readonly logprob: number;
}

/**
 * Chooses tokens of one row. In this order: the repetition penalty; temperature 0 takes the largest logit (the first of
 * equals); else top-k on the logits, temperature, softmax, top-p on what is left, min-p, and a draw. Between equals that
 * top-k or top-p must cut, the lower id stays.
 *
 * min-p is relative to the largest probability: p_i >= minP max p. (The official code compares with token 0's logit.)
 */
export class Sampler {
  readonly #options: ResolvedSampling;
  readonly #random: Random;
  readonly #seen: Set<number>;
  readonly #vocabulary: number;

  /**
   * @param vocabulary ids from here on (padding of the logits) are never chosen
   * @param row the row's number: added to the seed
   */
  constructor(options: ResolvedSampling, vocabulary: number, prompt: ArrayLike<number>, row = 0) {
    this.#options = options;
    this.#random = new Random(options.seed + row);
    this.#vocabulary = vocabulary;
    this.#seen = new Set(options.repetitionPenalty === 1 ? [] : Array.from(prompt));
  }

  /** `logits` of one row; not changed. */
  choose(logits: Float32Array | Float64Array): Choice {
    const raw = logits.subarray(0, this.#vocabulary);
    const scores = this.#penalised(raw);
    const token = this.#options.temperature === 0 ? argmax(scores) : this.#draw(scores);
    const logprob = raw[token]! - logSumExp(raw);
    if (!Number.isFinite(logprob)) {
      throw new MambaError(
        'DIVERGED',
        'generate: the logits are no distribution; the weights or the state hold NaN or infinity',
      );
    }
    if (this.#options.repetitionPenalty !== 1) this.#seen.add(token);
    return { token, logprob };
  }

  #penalised(raw: Float32Array | Float64Array): Float64Array {
    const scores = Float64Array.from(raw);
    const { repetitionPenalty } = this.#options;
    for (const id of this.#seen) {
      const score = scores[id]!;
      if (id < scores.length) scores[id] = score < 0 ? score * repetitionPenalty : score / repetitionPenalty;
    }
    return scores;
  }

  #draw(scores: Float64Array): number {
    const { temperature, topK, topP, minP } = this.#options;
    if (topK > 0) keepLargest(scores, topK, Number.NEGATIVE_INFINITY);
    const max = scores[argmax(scores)]!;
    const p = scores.map((score) => Math.exp((score - max) / temperature));
    if (topP < 1) keepLargest(p, countForMass(p, topP), 0);
    // The most probable token has weight exp(0) = 1, whatever the normalisation.
    if (minP > 0)
      p.forEach((weight, id) => {
        if (weight < minP) p[id] = 0;
      });
    let rest = this.#random.next() * p.reduce((sum, weight) => sum + weight, 0);
    let last = 0;
    for (let id = 0; id < p.length; id++) {
      if (p[id] === 0) continue;
      last = id;
      rest -= p[id]!;
      if (rest < 0) break;
    }
    return last;
  }
}

function argmax(values: Float64Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

/** Replaces all but the `count` largest values; of equals the first stay. */
function keepLargest(values: Float64Array, count: number, replacement: number): void {
  if (count >= values.length) return;
  const threshold = values.slice().sort()[values.length - count]!;
  let room = count;
  for (const value of values) if (value > threshold) room--;
  for (let i = 0; i < values.length; i++) {
    const stays = values[i]! > threshold || (values[i] === threshold && room-- > 0);
    if (!stays) values[i] = replacement;
  }
}

/** How many of the largest weights it takes to reach this share of their sum. */
function countForMass(weights: Float64Array, share: number): number {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  // What is below its part of the tail cannot be needed: all such weights together are less than the tail.
  const floor = (total * (1 - share)) / weights.length;
  const sorted = weights.filter((weight) => weight > floor).sort();
  let mass = 0;
  let count = 0;
  while (count < sorted.length && mass < total * share) mass += sorted[sorted.length - 1 - count++]!;
  return count;
}

function logSumExp(values: Float32Array | Float64Array): number {
  let max = Number.NEGATIVE_INFINITY;
  for (const value of values) if (value > max) max = value;
  let sum = 0;
  for (const value of values) sum += Math.exp(value - max);
  return max + Math.log(sum);
}
