import { expect, test } from 'vitest';
import { bytes, short } from './format.js';

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1 KiB'],
  [194_560, '190 KiB'],
  [1.234 * 2 ** 20, '1.23 MiB'],
  [2 ** 50, '1024 TiB'],
])('%d bytes: %s', (count, text) => {
  expect(bytes(count)).toBe(text);
});

test('ticks of an axis', () => {
  expect([0.1, 1, 100, 1e3, 1e4, 1e6].map(short)).toEqual(['0.1', '1', '100', '1 k', '10 k', '1 M']);
});
