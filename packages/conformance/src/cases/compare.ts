import type { HostTensor } from '../host.js';
import type { Outputs } from './case.js';

/** The largest deviation of one output. */
export interface Deviation {
  /** Path of the output; empty for a bare tensor. */
  readonly output: string;
  /** max |got - want| / max |want|; infinite where one is NaN or infinite and the other is not the same. */
  readonly error: number;
  /** Where, and which values. */
  readonly detail: string;
}

/**
 * An output that is tiny beside the others of the same call is judged relative to them: below this share of the largest
 * value its own size says nothing (a gradient that is exactly zero may come out as a rounding error).
 */
const FLOOR = 1e-4;
/** The same for an op that stands for a chain of others: what cancels there has the rounding errors of all of them. */
export const CHAIN_FLOOR = 1e-3;

/** Numbers under the smallest normal f32 may be flushed to zero. */
const FLUSHED = 2 ** -126;

/**
 * Compares results with what they should be, output by output. Integers must be equal. A missing, additional or
 * differently shaped output is an infinite error.
 */
export function deviations(got: Outputs, want: Outputs, floor = FLOOR): Deviation[] {
  const least = floor * Math.max(...[...want.values()].map(maxAbs), 0);
  const found: Deviation[] = [];
  for (const output of new Set([...got.keys(), ...want.keys()])) {
    const [a, b] = [got.get(output), want.get(output)];
    if (a === undefined || b === undefined) {
      const detail = a === undefined ? 'is missing' : 'is returned, but should not be';
      found.push({ output, error: Number.POSITIVE_INFINITY, detail });
    } else if ((a.dtype === 'i32') !== (b.dtype === 'i32')) {
      const detail = `is ${a.dtype}, not ${b.dtype}`;
      found.push({ output, error: Number.POSITIVE_INFINITY, detail });
    } else if (a.shape.join() !== b.shape.join()) {
      const detail = `has shape [${a.shape}], not [${b.shape}]`;
      found.push({ output, error: Number.POSITIVE_INFINITY, detail });
    } else {
      found.push({ output, ...deviation(a, b, least) });
    }
  }
  return found;
}

function deviation(got: HostTensor, want: HostTensor, least: number): { error: number; detail: string } {
  // Integers are equal, or infinitely far off.
  const scale = want.dtype === 'i32' ? 0 : Math.max(maxAbs(want), least) || 1;
  let worst = -1;
  let at = 0;
  for (let i = 0; i < want.data.length; i++) {
    const [a, b] = [got.data[i], want.data[i]];
    const same = Object.is(a, b) || a === b || Math.abs(a - b) <= FLUSHED;
    const difference = same ? 0 : Math.abs(a - b) / scale;
    const error = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
    if (error > worst) [worst, at] = [error, i];
  }
  if (worst < 0) return { error: 0, detail: 'empty' };
  return { error: worst, detail: `element ${at} is ${got.data[at]}, should be ${want.data[at]}` };
}

function maxAbs({ data }: HostTensor): number {
  let max = 0;
  for (const value of data) if (Number.isFinite(value)) max = Math.max(max, Math.abs(value));
  return max;
}

/** Every bit the same, the sign of zero and the place of NaN included. */
export function identical(a: Outputs, b: Outputs): string | undefined {
  for (const key of new Set([...a.keys(), ...b.keys()])) {
    const [x, y] = [a.get(key), b.get(key)];
    if (!x || !y) return `${key || 'the result'} is not in both`;
    const at = x.data.findIndex((value, i) => !Object.is(value, y.data[i]));
    if (at >= 0 || x.data.length !== y.data.length)
      return `${key || 'the result'}: element ${at} is ${x.data[at]} and ${y.data[at]}`;
  }
  return undefined;
}
