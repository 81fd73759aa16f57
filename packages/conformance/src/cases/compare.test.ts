import { expect, test } from 'vitest';
import { type HostTensor, hostF32, hostI32 } from '../host.js';
import { CHAIN_FLOOR, deviations, identical } from './compare.js';

const outputs = (entries: Record<string, HostTensor>) => new Map(Object.entries(entries));
const errorOf = (got: HostTensor, want: HostTensor) =>
  deviations(outputs({ y: got }), outputs({ y: want }))[0].error;

test('the error is relative to the largest value, wherever it is', () => {
  expect(errorOf(hostF32([1, 2, 9], [3]), hostF32([1, 3, 10], [3]))).toBeCloseTo(0.1, 12);
  expect(errorOf(hostF32([0.5, -4], [2]), hostF32([0, -4], [2]))).toBe(0.125);
});

test('where all should be zero, the error is absolute', () => {
  expect(errorOf(hostF32([0.25, 0], [2]), hostF32([0, 0], [2]))).toBe(0.25);
  expect(errorOf(hostF32([], [0, 3]), hostF32([], [0, 3]))).toBe(0);
});

test('an output that is tiny beside the others is judged relative to them', () => {
  const got = outputs({ large: hostF32([100], [1]), tiny: hostF32([3e-6], [1]) });
  const want = outputs({ large: hostF32([100], [1]), tiny: hostF32([1e-6], [1]) });
  const [, tiny] = deviations(got, want);
  // 2e-6 beside a hundredth, which is 1e-4 of the largest.
  expect(tiny.error).toBeCloseTo(2e-4, 8);
  // Of a chain of ops: beside a tenth.
  expect(deviations(got, want, CHAIN_FLOOR)[1].error).toBeCloseTo(2e-5, 8);
});

test('NaN and infinities count unless both have them', () => {
  const [nan, infinity] = [Number.NaN, Number.POSITIVE_INFINITY];
  expect(errorOf(hostF32([nan], [1]), hostF32([1], [1]))).toBe(infinity);
  expect(errorOf(hostF32([1], [1]), hostF32([nan], [1]))).toBe(infinity);
  expect(errorOf(hostF32([infinity], [1]), hostF32([1], [1]))).toBe(infinity);
  expect(errorOf(hostF32([-infinity, 2], [2]), hostF32([infinity, 2], [2]))).toBe(infinity);
  expect(errorOf(hostF32([nan, infinity, 2], [3]), hostF32([nan, infinity, 2], [3]))).toBe(0);
});

test('what f32 flushes to zero is no error', () => {
  expect(errorOf(hostF32([0], [1]), hostF32([1e-39], [1]))).toBe(0);
  expect(errorOf(hostF32([0], [1]), hostF32([1e-37], [1]))).toBe(1);
});

test('integers must be equal, and be integers', () => {
  expect(errorOf(hostI32([7], [1]), hostI32([7], [1]))).toBe(0);
  expect(errorOf(hostI32([1_000_001], [1]), hostI32([1_000_000], [1]))).toBe(Number.POSITIVE_INFINITY);
  expect(errorOf(hostF32([7], [1]), hostI32([7], [1]))).toBe(Number.POSITIVE_INFINITY);
});

test('missing, additional and differently shaped outputs are infinite errors that say so', () => {
  const y = hostF32([1, 2], [2]);
  const found = deviations(outputs({ y: hostF32([1, 2], [1, 2]), more: y }), outputs({ y, less: y }));
  expect(found).toEqual([
    { output: 'y', error: Number.POSITIVE_INFINITY, detail: 'has shape [1,2], not [2]' },
    { output: 'more', error: Number.POSITIVE_INFINITY, detail: 'is returned, but should not be' },
    { output: 'less', error: Number.POSITIVE_INFINITY, detail: 'is missing' },
  ]);
});

test('the detail has the place and both values', () => {
  const [{ detail }] = deviations(
    outputs({ y: hostF32([1, 5, 3], [3]) }),
    outputs({ y: hostF32([1, 2, 3.5], [3]) }),
  );
  expect(detail).toBe('element 1 is 5, should be 2');
});

test('identical means every bit, the sign of zero too', () => {
  const y = (values: number[]) => outputs({ y: hostF32(values, [values.length]) });
  expect(identical(y([0, Number.NaN]), y([0, Number.NaN]))).toBeUndefined();
  expect(identical(y([0]), y([-0]))).toBe('y: element 0 is 0 and 0');
  expect(identical(y([1]), y([1 + 2 ** -23]))).toContain('element 0');
  expect(identical(y([1]), outputs({}))).toContain('y is not in both');
});
