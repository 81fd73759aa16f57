import fc from 'fast-check';
import type { OpCase } from './case.js';
import { Draw } from './draw.js';
import { type Family, seed, table } from './family.js';

interface Options {
  /** Axes before and after the one that is cut. */
  before: readonly number[];
  sizes: readonly number[];
  after: readonly number[];
  seed: number;
}

function cases(name: string, { before, sizes, after, seed }: Options): OpCase[] {
  const draw = new Draw(seed);
  const axis = before.length;
  const shape = (size: number) => [...before, size, ...after];
  return [
    {
      op: 'split',
      name,
      inputs: { x: draw.normal(shape(sizes.reduce((a, b) => a + b, 0))), sizes, axis },
    },
    { op: 'concat', name, inputs: { tensors: sizes.map((size) => draw.normal(shape(size))), axis } },
    { op: 'copy', name, inputs: { x: draw.normal(shape(sizes[0])) } },
  ];
}

const axes = () => fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 0, maxLength: 2 });

export const shapes: Family = {
  ops: ['split', 'concat', 'copy'],
  directed: () => [
    ...table(
      {
        'one axis': { before: [], sizes: [3, 1, 4], after: [] },
        'last axis': { before: [2, 7], sizes: [5, 16, 16], after: [] },
        'middle axis': { before: [2], sizes: [1, 6], after: [17] },
        'first axis': { before: [], sizes: [2, 2], after: [3, 5] },
        'one piece': { before: [3], sizes: [33], after: [] },
        'an empty piece': { before: [2], sizes: [3, 0, 2], after: [] },
      },
      cases,
    ),
    {
      op: 'split',
      name: 'negative axis',
      inputs: { x: new Draw(31).normal([2, 3, 5]), sizes: [1, 2], axis: -2 },
    },
    {
      op: 'concat',
      name: 'negative axis',
      inputs: { tensors: [new Draw(32).normal([2, 3]), new Draw(33).normal([2, 1])], axis: -1 },
    },
    { op: 'split', name: 'i32', inputs: { x: new Draw(34).ints([2, 5], 9), sizes: [2, 3], axis: 1 } },
    {
      op: 'concat',
      name: 'i32',
      inputs: { tensors: [new Draw(35).ints([2, 1], 9), new Draw(36).ints([2, 3], 9)], axis: 1 },
    },
    { op: 'copy', name: 'i32', inputs: { x: new Draw(37).ints([7], 9) } },
  ],
  random: () =>
    fc
      .record({
        before: axes(),
        sizes: fc.array(fc.integer({ min: 1, max: 19 }), { minLength: 1, maxLength: 4 }),
        after: axes(),
        seed: seed(),
      })
      .map((options) => cases('random', options)),
};
