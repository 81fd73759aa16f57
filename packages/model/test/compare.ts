import type { Tensor } from '@mamba-ts/backend';
import { expect } from 'vitest';

/** max|got - want| / max|want|, as every bar of this repository is stated. */
export function relativeError(got: ArrayLike<number>, want: ArrayLike<number>): number {
  expect(got.length).toBe(want.length);
  let difference = 0;
  let scale = 0;
  for (let i = 0; i < want.length; i++) {
    difference = Math.max(difference, Math.abs(got[i]! - want[i]!));
    scale = Math.max(scale, Math.abs(want[i]!));
  }
  return difference / (scale || 1);
}

/** Reads a tensor and frees it. */
export async function take(tensor: Tensor): Promise<number[]> {
  const data = Array.from(await tensor.data());
  tensor.dispose();
  return data;
}

/** Uniform-looking ids without a generator: fine for tests that only need variety. */
export function someIds(length: number, vocabulary: number, salt = 0): number[] {
  return Array.from({ length }, (_, i) => ((i + salt) * 7919 + ((i * i) % 31) * 104729 + salt) % vocabulary);
}
