import { describe, expect, it } from 'vitest';
import { resolveSampling, type SamplingOptions } from './options.js';
import { Sampler } from './sampling.js';

const DRAWS = 4000;

/** Logits of these probabilities. */
const logitsOf = (...p: number[]) => Float64Array.from(p, (x) => Math.log(x) + 3);

/** How often each id is drawn. */
function frequencies(logits: Float64Array, options: SamplingOptions, vocabulary = logits.length): number[] {
  const sampler = new Sampler(resolveSampling(options), vocabulary, []);
  const counts = Array<number>(logits.length).fill(0);
  for (let i = 0; i < DRAWS; i++) counts[sampler.choose(logits).token]!++;
  return counts.map((count) => count / DRAWS);
}

function expectDistribution(got: number[], want: number[]): void {
  got.forEach((frequency, id) => {
    const p = want[id]!;
    if (p === 0 || p === 1) expect(frequency).toBe(p);
    // Five standard deviations of a binomial.
    else expect(Math.abs(frequency - p)).toBeLessThan(5 * Math.sqrt((p * (1 - p)) / DRAWS));
  });
}

describe('Sampler', () => {
  const p = [0.4, 0.3, 0.15, 0.1, 0.05];
  const logits = logitsOf(...p);

  it('draws from the distribution of the model by default', () => {
    expectDistribution(frequencies(logits, {}), p);
  });

  it('raises probabilities to 1 / temperature', () => {
    const squared = p.map((x) => x * x);
    const total = squared.reduce((a, b) => a + b);
    expectDistribution(
      frequencies(logits, { temperature: 0.5 }),
      squared.map((x) => x / total),
    );
  });

  it('is greedy at temperature 0, with the first of equals', () => {
    const sampler = new Sampler(resolveSampling({ temperature: 0, topK: 1, topP: 0.1, minP: 1 }), 4, []);
    expect(sampler.choose(Float32Array.of(1, 5, 5, 2)).token).toBe(1);
  });

  it('keeps topK tokens, the lower id of equals', () => {
    expectDistribution(frequencies(logits, { topK: 2 }), [4 / 7, 3 / 7, 0, 0, 0]);
    expectDistribution(frequencies(logitsOf(0.2, 0.2, 0.2, 0.4), { topK: 2 }), [1 / 3, 0, 0, 2 / 3]);
    expectDistribution(frequencies(logits, { topK: 99 }), p);
  });

  it('keeps the fewest tokens that reach topP', () => {
    expectDistribution(frequencies(logits, { topP: 0.71 }), [0.4 / 0.85, 0.3 / 0.85, 0.15 / 0.85, 0, 0]);
    expectDistribution(frequencies(logits, { topP: 0.69 }), [4 / 7, 3 / 7, 0, 0, 0]);
    expectDistribution(frequencies(logits, { topP: 1e-9 }), [1, 0, 0, 0, 0]);
    expectDistribution(frequencies(logitsOf(0.25, 0.25, 0.25, 0.25), { topP: 0.4 }), [0.5, 0.5, 0, 0]);
  });

  it('keeps tokens of at least minP times the largest probability, not of the first token', () => {
    const shuffled = logitsOf(0.05, 0.4, 0.3, 0.15, 0.1);
    const kept = [0, 0.4 / 0.85, 0.3 / 0.85, 0.15 / 0.85, 0];
    expectDistribution(frequencies(shuffled, { minP: 0.37 }), kept);
    expectDistribution(frequencies(shuffled, { minP: 1 }), [0, 1, 0, 0, 0]);
  });

  it('applies top-k, then temperature, then top-p, then min-p', () => {
    // Top 3 at temperature 1/2: 16 : 9 : 2.25; of these 0.9 needs two.
    expectDistribution(frequencies(logits, { topK: 3, temperature: 0.5, topP: 0.9 }), [
      16 / 25,
      9 / 25,
      0,
      0,
      0,
    ]);
    // 9/16 of the largest is under 0.6, though 3/4 was not.
    expectDistribution(frequencies(logits, { temperature: 0.5, minP: 0.6 }), [1, 0, 0, 0, 0]);
  });

  it('divides positive and multiplies negative logits of tokens seen, once each', () => {
    const choose = (penalty: number, prompt: number[]) =>
      new Sampler(resolveSampling({ temperature: 0, repetitionPenalty: penalty }), 3, prompt);
    expect(choose(2, [0, 0, 0]).choose(Float32Array.of(3, 1.6, 1)).token).toBe(1);
    expect(choose(2, [0]).choose(Float32Array.of(3, 1.4, 1)).token).toBe(0);
    expect(choose(2, [0]).choose(Float32Array.of(-1, -1.5, -3)).token).toBe(1);
    expect(choose(2, [0]).choose(Float32Array.of(-1, -2.5, -3)).token).toBe(0);
    const sampler = choose(4, []);
    const scores = Float32Array.of(3, 2, 1);
    expect([0, 1, 2].map(() => sampler.choose(scores).token)).toEqual([0, 1, 2]);
  });

  it('never chooses padding, whatever its logit', () => {
    const padded = Float64Array.of(0, 0, 50, 50);
    expectDistribution(frequencies(padded, {}, 2), [0.5, 0.5, 0, 0]);
    expect(new Sampler(resolveSampling({ temperature: 0 }), 2, []).choose(padded).token).toBe(0);
  });

  it('gives the logarithm of the probability before every option', () => {
    const sampler = new Sampler(resolveSampling({ temperature: 0, repetitionPenalty: 9 }), 5, [0]);
    const { token, logprob } = sampler.choose(logits);
    expect(token).toBe(1);
    expect(logprob).toBeCloseTo(Math.log(0.3), 12);
  });

  it('draws the same tokens for the same seed, and row r those of seed + r', () => {
    const draw = (seed: number, row: number) => {
      const sampler = new Sampler(resolveSampling({ seed }), 5, [], row);
      return Array.from({ length: 20 }, () => sampler.choose(logits).token);
    };
    expect(draw(7, 0)).toEqual(draw(7, 0));
    expect(draw(7, 3)).toEqual(draw(10, 0));
    expect(draw(7, 0)).not.toEqual(draw(8, 0));
  });

  it('refuses logits that are no distribution', () => {
    const sampler = new Sampler(resolveSampling({}), 2, []);
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => sampler.choose(Float32Array.of(0, bad))).toThrow(
        expect.objectContaining({ code: 'DIVERGED' }),
      );
    }
    expect(sampler.choose(Float32Array.of(0, Number.NEGATIVE_INFINITY)).token).toBe(0);
  });
});

describe('resolveSampling', () => {
  it.each<[string, SamplingOptions]>([
    ['temperature', { temperature: -1 }],
    ['temperature', { temperature: Number.NaN }],
    ['temperature', { temperature: Number.POSITIVE_INFINITY }],
    ['topK', { topK: -1 }],
    ['topK', { topK: 1.5 }],
    ['topP', { topP: 0 }],
    ['topP', { topP: 1.1 }],
    ['minP', { minP: -0.1 }],
    ['minP', { minP: 2 }],
    ['repetitionPenalty', { repetitionPenalty: 0 }],
    ['seed', { seed: 0.5 }],
  ])('refuses a bad %s: %j', (name, options) => {
    expect(() => resolveSampling(options)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', details: { option: name } }),
    );
  });
});
