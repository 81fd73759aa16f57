import { Random } from '@mamba-ts/ssm';
import { diverged } from './diverged.js';
import type { ResolvedSampling } from './options.js';
import { kthLargest } from './select.js';

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
 *
 * A vocabulary has tens of thousands of ids and this runs for every token: plain loops, no sort of everything.
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
    if (!Number.isFinite(logprob)) throw diverged();
    if (this.#options.repetitionPenalty !== 1) this.#seen.add(token);
    return { token, logprob };
  }

  #penalised(raw: Float32Array | Float64Array): Float64Array {
    const scores = new Float64Array(raw);
    const { repetitionPenalty } = this.#options;
    for (const id of this.#seen) {
      const score = scores[id]!;
      if (id < scores.length) scores[id] = score < 0 ? score * repetitionPenalty : score / repetitionPenalty;
    }
    return scores;
  }

  /** Overwrites `scores`. */
  #draw(scores: Float64Array): number {
    const { temperature, topK, topP, minP } = this.#options;
    if (topK > 0) keepLargest(scores, topK, Number.NEGATIVE_INFINITY);
    const max = scores[argmax(scores)]!;
    let total = 0;
    for (let id = 0; id < scores.length; id++) {
      scores[id] = Math.exp((scores[id]! - max) / temperature);
      total += scores[id]!;
    }
    const weights = scores;
    if (topP < 1) keepLargest(weights, countForMass(weights, total, topP), 0);
    let kept = 0;
    for (let id = 0; id < weights.length; id++) {
      // The most probable token has weight exp(0) = 1, whatever the others have.
      if (weights[id]! < minP) weights[id] = 0;
      kept += weights[id]!;
    }
    let rest = this.#random.next() * kept;
    let last = 0;
    for (let id = 0; id < weights.length; id++) {
      if (weights[id] === 0) continue;
      last = id;
      rest -= weights[id]!;
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
  const threshold = kthLargest(values, count);
  let room = count;
  for (let i = 0; i < values.length; i++) if (values[i]! > threshold) room--;
  for (let i = 0; i < values.length; i++) {
    const stays = values[i]! > threshold || (values[i] === threshold && room-- > 0);
    if (!stays) values[i] = replacement;
  }
}

/** How many of the largest weights it takes to reach this share of their sum. */
function countForMass(weights: Float64Array, total: number, share: number): number {
  // What is below its part of the tail cannot be needed: all such weights together are less than the tail.
  const floor = (total * (1 - share)) / weights.length;
  const candidates = new Float64Array(weights.length);
  let length = 0;
  for (let i = 0; i < weights.length; i++) if (weights[i]! > floor) candidates[length++] = weights[i]!;
  const sorted = candidates.subarray(0, length).sort();
  let mass = 0;
  let count = 0;
  while (count < length && mass < total * share) mass += sorted[length - 1 - count++]!;
  return count;
}

function logSumExp(values: Float32Array | Float64Array): number {
  let max = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < values.length; i++) max = Math.max(max, values[i]!);
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += Math.exp(values[i]! - max);
  return max + Math.log(sum);
}
