import type { Backend, Tensor } from '@mamba-ts/backend';
import { sizeOf } from '@mamba-ts/backend';
import type { Random } from '@mamba-ts/ssm';
import { floats } from '../src/cpu-tensor.js';

/** Values in a test, before they are uploaded. */
export interface Host {
  readonly shape: readonly number[];
  readonly data: Float64Array;
  readonly dtype: 'float' | 'i32';
}

/** An argument or result of an op: tensors in objects and lists, among options. */
export type Tree = unknown;

export function host(shape: readonly number[], data: ArrayLike<number>): Host {
  if (data.length !== sizeOf(shape)) throw new RangeError(`${data.length} values for [${shape}]`);
  return { shape, data: Float64Array.from(data), dtype: 'float' };
}

export function hostInts(shape: readonly number[], data: ArrayLike<number>): Host {
  return { ...host(shape, data), dtype: 'i32' };
}

/** Normally distributed values. */
export function normal(random: Random, shape: readonly number[], scale = 1): Host {
  return host(
    shape,
    Float64Array.from({ length: sizeOf(shape) }, () => scale * random.normal()),
  );
}

/** Evenly distributed values. */
export function uniform(random: Random, shape: readonly number[], low: number, high: number): Host {
  return host(
    shape,
    Float64Array.from({ length: sizeOf(shape) }, () => low + (high - low) * random.next()),
  );
}

function isHost(x: Tree): x is Host {
  return typeof x === 'object' && x !== null && 'data' in x && !('dispose' in x);
}

function isTensor(x: Tree): x is Tensor {
  return typeof x === 'object' && x !== null && 'dispose' in x;
}

function mapTree(x: Tree, leaf: (x: Host) => unknown): Tree {
  if (isHost(x)) return leaf(x);
  if (Array.isArray(x)) return x.map((item) => mapTree(item, leaf));
  if (typeof x !== 'object' || x === null) return x;
  return Object.fromEntries(Object.entries(x).map(([key, item]) => [key, mapTree(item, leaf)]));
}

/** The same tree with its values on a backend. */
export function upload<T>(backend: Backend, tree: Tree, dtype: 'f64' | 'f32' = 'f64'): T {
  return mapTree(tree, ({ data, shape, dtype: kind }) =>
    backend.tensor(data, shape, kind === 'i32' ? 'i32' : dtype),
  ) as T;
}

/** The leaves of a tree by their paths: `A.re`, `tensors.1`; a bare leaf has the empty path. */
export function leaves<T extends Host | Tensor>(tree: Tree, path = ''): Map<string, T> {
  if (isHost(tree) || isTensor(tree)) return new Map([[path, tree as T]]);
  if (typeof tree !== 'object' || tree === null) return new Map();
  return new Map(
    Object.entries(tree).flatMap(([key, item]) => [...leaves<T>(item, path === '' ? key : `${path}.${key}`)]),
  );
}

/** A tensor's values, without waiting. */
export function values(x: Tensor): Float64Array {
  return Float64Array.from(floats(x));
}

/** max |x - ref| / max |ref|; NaN if any value is. */
export function relativeError(x: ArrayLike<number>, reference: ArrayLike<number>, floor = 0): number {
  if (x.length !== reference.length) return Number.NaN;
  let [error, largest] = [0, floor];
  for (let i = 0; i < x.length; i++) {
    error = Math.max(error, Math.abs(x[i] - reference[i]));
    largest = Math.max(largest, Math.abs(reference[i]));
  }
  return error === 0 ? 0 : error / largest;
}
