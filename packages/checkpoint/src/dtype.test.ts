import { expect, test } from 'vitest';
import { bytesOf, DTYPE_NAMES, dtypeOfFile, elementsOf, viewAs } from './dtype.js';

test('sizes', () => {
  expect(bytesOf('f64', 3)).toBe(24);
  expect(bytesOf('bf16', 0)).toBe(0);
  expect(bytesOf('c64', 2)).toBe(16);
  expect(bytesOf('f4', 6)).toBe(3);
  expect(bytesOf('f6_e2m3', 4)).toBe(3);
  expect(bytesOf('f6_e2m3', 3)).toBeUndefined();
  expect(bytesOf('f64', 2 ** 50)).toBeUndefined();
  expect(elementsOf([])).toBe(1);
  expect(elementsOf([2, 0, 5])).toBe(0);
  expect(elementsOf([2 ** 30, 2 ** 30])).toBeUndefined();
});

test('names in a file are upper case, and only that', () => {
  for (const dtype of DTYPE_NAMES) expect(dtypeOfFile(dtype.toUpperCase())).toBe(dtype);
  expect(dtypeOfFile('f32')).toBeUndefined();
  expect(dtypeOfFile(32)).toBeUndefined();
});

test('aligned bytes are viewed, others copied', () => {
  const bytes = Uint8Array.of(0, 0, 0, 0, 1, 0, 2, 0, 0, 0);
  const view = viewAs(bytes.subarray(4, 8), 'i16');
  expect(view).toEqual(Int16Array.of(1, 2));
  expect(view.buffer).toBe(bytes.buffer);
  const copy = viewAs(bytes.subarray(3, 7), 'i16');
  expect(copy).toEqual(Int16Array.of(256, 512));
  expect(copy.buffer).not.toBe(bytes.buffer);
});
