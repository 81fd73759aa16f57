import fc from 'fast-check';
import { hostF32 } from '../host.js';
import type { HostTree, OpCase } from './case.js';
import { Draw } from './draw.js';
import { type Family, seed, table } from './family.js';

interface Options {
  shape: readonly number[];
  seed: number;
}

type Make = (name: string, draw: Draw, shape: readonly number[]) => OpCase[];

/** No axes at all, no elements, sizes around the SIMD lanes, and more than one workgroup. */
const SHAPES = [[], [2, 0], [1], [3], [2, 17], [3, 5, 33], [1025]];

function family(ops: Family['ops'], make: Make, more: () => OpCase[] = () => []): Family {
  const cases = (name: string, { shape, seed }: Options) => make(name, new Draw(seed), shape);
  return {
    ops,
    directed: () => [
      ...table(Object.fromEntries(SHAPES.map((shape) => [`[${shape.join(', ')}]`, { shape }])), cases),
      ...more(),
    ],
    random: () =>
      fc
        .record({
          shape: fc.array(fc.integer({ min: 1, max: 19 }), { minLength: 0, maxLength: 3 }),
          seed: seed(),
        })
        .map((options) => cases('random', options)),
  };
}

const one = (op: OpCase['op'], name: string, inputs: HostTree): OpCase => ({ op, name, inputs });

export const add = family(['add'], (name, draw, shape) => [
  one('add', name, { a: draw.normal(shape), b: draw.normal(shape) }),
]);

export const mul = family(['mul'], (name, draw, shape) => [
  one('mul', name, { a: draw.normal(shape), b: draw.normal(shape) }),
]);

export const silu = family(['silu', 'siluBackward'], (name, draw, shape) => {
  const inputs = { x: draw.normal(shape, 4) };
  return [one('silu', name, inputs), { op: 'siluBackward', name, inputs, grads: { dy: draw.normal(shape) } }];
});

export const exp = family(
  ['exp'],
  (name, draw, shape) => [one('exp', name, { x: draw.normal(shape, 2) })],
  () => [
    one('exp', 'sign -1', { x: hostF32([-3, -0.5, 0, 1e-6, 1, 4.5], [2, 3]), sign: -1 }),
    one('exp', 'sign 1', { x: hostF32([-3, -0.5, 0, 1e-6, 1, 4.5], [6]), sign: 1 }),
  ],
);

const fillCase = (name: string, inputs: HostTree): OpCase => ({ op: 'fill', name, inputs });

export const fill: Family = {
  ops: ['fill'],
  directed: () => [
    fillCase('scalar', { shape: [], value: -2.5 }),
    fillCase('[3, 17]', { shape: [3, 17], value: 0.75 }),
    fillCase('no elements', { shape: [0, 4], value: 1 }),
    fillCase('minus infinity', { shape: [5], value: Number.NEGATIVE_INFINITY }),
    fillCase('i32', { shape: [1025], value: -7, dtype: 'i32' }),
  ],
  random: () =>
    fc
      .record({
        shape: fc.array(fc.integer({ min: 1, max: 19 }), { minLength: 0, maxLength: 3 }),
        value: fc.integer({ min: -1000, max: 1000 }),
      })
      .map((inputs) => [fillCase('random', inputs)]),
};
