import { expect, test } from 'vitest';
import { hostF32, hostI32, join, rounded, slice, total } from './host.js';

const x = hostF32([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], [2, 3, 2]);

test('slice takes a part of one axis', () => {
  expect([...slice(x, 1, 1, 3).data]).toEqual([2, 3, 4, 5, 8, 9, 10, 11]);
  expect([...slice(x, 0, 1, 2).data]).toEqual([6, 7, 8, 9, 10, 11]);
  expect([...slice(x, 2, 0, 1).data]).toEqual([0, 2, 4, 6, 8, 10]);
  expect(slice(x, 1, 2, 2)).toEqual(hostF32([], [2, 0, 2]));
  expect(slice(hostI32([4, 5, 6], [3]), 0, 1, 2)).toEqual(hostI32([5], [1]));
});

test('join puts slices back', () => {
  for (const axis of [0, 1, 2]) {
    const end = x.shape[axis];
    const back = join([slice(x, axis, 0, 1), slice(x, axis, 1, end)], axis);
    expect([back.shape, [...back.data]]).toEqual([x.shape, [...x.data]]);
  }
});

test('total adds in f64', () => {
  const sum = total([hostF32([1, 2 ** 25], [2]), hostF32([2, 1], [2]), hostF32([3, 1], [2])]);
  expect([sum.dtype, ...sum.data]).toEqual(['f64', 6, 2 ** 25 + 2]);
});

test('rounded is what a stored weight stands for', () => {
  const weight = hostF32([1 + 2 ** -11, 0.3, -100], [1, 3]);
  expect([...rounded({ ...weight, stored: 'f16' }).data].slice(0, 1)).toEqual([1]);
  expect([...rounded({ ...weight, stored: 'bf16' }).data]).toEqual([1, 0.30078125, -100]);
  const [a, b, c] = rounded({ ...weight, stored: 'int8' }).data;
  expect([a, b]).toEqual([Math.fround(100 / 127), 0]);
  expect(c).toBeCloseTo(-100, 4);
  expect(() => rounded(weight)).toThrow('no stored type');
});
