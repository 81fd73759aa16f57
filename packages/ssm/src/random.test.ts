import { describe, expect, it } from 'vitest';
import { Random } from './random.js';

/** The published algorithms in arbitrary-precision integers. */
const MASK = 0xffffffffn;
function* xoshiro128starstar(seed: bigint[]): Generator<number> {
  const rotl = (x: bigint, k: bigint) => ((x << k) | (x >> (32n - k))) & MASK;
  let [s0, s1, s2, s3] = seed as [bigint, bigint, bigint, bigint];
  for (;;) {
    yield Number((rotl((s1 * 5n) & MASK, 7n) * 9n) & MASK);
    const t = (s1 << 9n) & MASK;
    s2 ^= s0;
    s3 ^= s1;
    s1 ^= s2;
    s0 ^= s3;
    s2 ^= t;
    s3 = rotl(s3, 11n);
  }
}
function splitmix32(seed: bigint, count: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    let z = (seed + 0x9e3779b9n * BigInt(i + 1)) & MASK;
    z = ((z ^ (z >> 16n)) * 0x21f0aaadn) & MASK;
    z = ((z ^ (z >> 15n)) * 0x735a2d97n) & MASK;
    return Number(z ^ (z >> 15n));
  });
}

const draw = (random: Random, count: number) => Array.from({ length: count }, () => random.next());

describe('Random', () => {
  it('is xoshiro128**', () => {
    // From the state 1, 2, 3, 4, by hand: rotl(2 * 5, 7) * 9, then 0, then rotl(1029 * 5, 7) * 9.
    const small = Random.fromState([1, 2, 3, 4]);
    expect([small.uint32(), small.uint32(), small.uint32()]).toEqual([11520, 0, 5927040]);

    for (const state of [
      [1, 2, 3, 4],
      [0xffffffff, 0, 0x80000000, 7],
      [0xdeadbeef, 0x12345678, 0xcafebabe, 0x0badf00d],
    ]) {
      const random = Random.fromState(state);
      const expected = xoshiro128starstar(state.map(BigInt));
      for (let i = 0; i < 1000; i++) expect(random.uint32()).toBe(expected.next().value);
    }
  });

  it('is seeded by splitmix32', () => {
    for (const seed of [0, 1, 42, 0x7fffffff, 0x80000000, 0xffffffff]) {
      expect(new Random(seed).state()).toEqual(splitmix32(BigInt(seed), 4));
    }
  });

  it('takes any safe integer as a seed, and different ones give different streams', () => {
    const seeds = [0, 1, -1, 2, -2, 2 ** 31, 2 ** 32, 2 ** 32 + 1, -(2 ** 32), Number.MAX_SAFE_INTEGER];
    const firsts = new Set(seeds.map((seed) => new Random(seed).uint32()));
    expect(firsts.size).toBe(seeds.length);
    for (const bad of [0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
      expect(() => new Random(bad)).toThrow(/seed must be an integer/);
    }
  });

  it('makes 53-bit fractions of two words', () => {
    const words = new Random(5);
    const fractions = new Random(5);
    for (let i = 0; i < 100; i++) {
      const high = BigInt(words.uint32() >>> 5);
      const low = BigInt(words.uint32() >>> 6);
      expect(fractions.next()).toBe(Number((high << 26n) | low) / 2 ** 53);
    }
  });

  it('resumes from a state that went through JSON', () => {
    const random = new Random(9);
    draw(random, 17);
    random.normal();
    const saved = JSON.parse(JSON.stringify(random.state())) as number[];
    const rest = [random.normal(), ...draw(random, 5), random.int(1000)];
    const resumed = Random.fromState(saved);
    expect([resumed.normal(), ...draw(resumed, 5), resumed.int(1000)]).toEqual(rest);
    expect(saved).not.toEqual(random.state());
  });

  it('refuses what is not a state', () => {
    for (const bad of [[], [1, 2, 3], [1, 2, 3, 4, 5], [1, 2, 3, -1], [1, 2, 3, 2 ** 32], [1, 2, 3, 0.5]]) {
      expect(() => Random.fromState(bad)).toThrow(/four integers/);
    }
    expect(() => Random.fromState([0, 0, 0, 0])).toThrow(/all zeros/);
  });

  it('draws uniformly', () => {
    const random = new Random(1);
    const count = 200_000;
    const bins = new Float64Array(64);
    let sum = 0;
    let outside = 0;
    for (let i = 0; i < count; i++) {
      const x = random.next();
      if (!(x >= 0 && x < 1)) outside++;
      bins[Math.floor(x * 64)]! += 1;
      sum += x;
    }
    expect(outside).toBe(0);
    expect(Math.abs(sum / count - 0.5)).toBeLessThan(5 / Math.sqrt(12 * count));
    const chiSquared = bins.reduce((total, n) => total + (n - count / 64) ** 2 / (count / 64), 0);
    expect(chiSquared).toBeLessThan(120); // 63 degrees of freedom: beyond this once in 10^5
  });

  it('draws integers in [0, n) and refuses other n', () => {
    const random = new Random(2);
    const counts = [0, 0, 0, 0, 0];
    for (let i = 0; i < 50_000; i++) counts[random.int(5)]! += 1;
    for (const n of counts) expect(Math.abs(n - 10_000)).toBeLessThan(500);
    expect(random.int(1)).toBe(0);
    expect(random.int(2 ** 53 - 1)).toBeLessThan(2 ** 53 - 1);
    for (const bad of [0, -1, 1.5, Number.NaN, 2 ** 53]) expect(() => random.int(bad)).toThrow(/positive/);
  });

  it('draws standard normals', () => {
    const random = new Random(3);
    const count = 200_000;
    const moments = [0, 0, 0, 0];
    let beyondTwo = 0;
    for (let i = 0; i < count; i++) {
      const x = random.normal();
      for (let k = 0; k < 4; k++) moments[k]! += x ** (k + 1) / count;
      if (Math.abs(x) > 2) beyondTwo += 1 / count;
    }
    // The moments of N(0, 1) are 0, 1, 0, 3; the bounds are five standard errors, and P(|x| > 2) = 0.0455.
    expect(Math.abs(moments[0]!)).toBeLessThan(5 / Math.sqrt(count));
    expect(Math.abs(moments[1]! - 1)).toBeLessThan(5 * Math.sqrt(2 / count));
    expect(Math.abs(moments[2]!)).toBeLessThan(5 * Math.sqrt(15 / count));
    expect(Math.abs(moments[3]! - 3)).toBeLessThan(5 * Math.sqrt(96 / count));
    expect(Math.abs(beyondTwo - 0.0455)).toBeLessThan(0.0025);
  });
});
