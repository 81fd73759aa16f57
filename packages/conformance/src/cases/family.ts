import fc from 'fast-check';
import type { AnyOp, OpCase } from './case.js';

/** How large and how many the cases may be. */
export interface Limits {
  /** Longest sequence. */
  readonly maxLength: number;
}

/** The cases of ops that belong together: an op, its gradient, its step. */
export interface Family {
  readonly ops: readonly AnyOp[];
  /** One case for each option and each awkward size; their names say which. */
  directed(limits: Limits): OpCase[];
  /** Random options, shapes and values; one case for each op. */
  random(limits: Limits): fc.Arbitrary<OpCase[]>;
}

/** Lengths on both sides of what kernels block by. */
const LENGTHS = [1, 2, 63, 64, 65, 130];
/** Channels that leave a rest in SIMD lanes of 4, 8 and 16. */
const CHANNELS = [1, 3, 4, 5, 17, 32, 33];
const STATES = [1, 3, 4, 8, 16];

export const length = ({ maxLength }: Limits) =>
  fc.oneof(
    fc.constantFrom(...LENGTHS.map((l) => Math.min(l, maxLength))),
    fc.integer({ min: 1, max: Math.min(40, maxLength) }),
  );
export const channels = () => fc.constantFrom(...CHANNELS);
export const states = () => fc.constantFrom(...STATES);
export const batch = () => fc.integer({ min: 1, max: 3 });
export const seed = () => fc.nat({ max: 2 ** 31 - 1 });
/** Any leading axes: none, one or two. */
export const leading = () => fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 0, maxLength: 2 });

/** A length that is `wanted` unless that is over the limit. */
export function upTo(wanted: number, { maxLength }: Limits): number {
  return Math.min(wanted, maxLength);
}

/** Turns a table of named options into cases: the seed of each is its place in the table. */
export function table<O extends object>(
  rows: Readonly<Record<string, O>>,
  cases: (name: string, options: O & { seed: number }) => OpCase[],
): OpCase[] {
  return Object.entries(rows).flatMap(([name, options], i) => cases(name, { ...options, seed: 1 + i }));
}
