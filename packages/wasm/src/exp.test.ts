import type { Backend } from '@mamba-ts/backend';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createWasmBackend } from './index.js';

const bits = new Int32Array(1);
const float = new Float32Array(bits.buffer);

/** The distance from |x| to the next float, as f32 has them. */
function ulp(x: number): number {
  float[0] = Math.abs(x);
  const here = float[0];
  bits[0]++;
  return float[0] - here;
}

/** The largest error in units of the last place, against `exact`, which is computed in f64. */
function largestError(got: ArrayLike<number>, exact: (i: number) => number): number {
  let largest = 0;
  for (let i = 0; i < got.length; i++) {
    const want = exact(i);
    largest = Math.max(largest, Math.abs(got[i] - want) / ulp(want));
  }
  return largest;
}

const LOG2E = Math.fround(Math.LOG2E);

describe.each([
  ['SIMD', false],
  ['relaxed SIMD', true],
])('exp, %s', (_, relaxed) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await createWasmBackend({ threads: 1, relaxed });
  });
  afterAll(() => backend.dispose());

  test('is within 2 units of the last place where its result is a normal number', async () => {
    // Evenly over the range, and every 293rd float from 2^-30 to 1 of both signs.
    const even = Float32Array.from({ length: 1_000_000 }, (_, i) => -87.33 + (i / 1e6) * (88.72 + 87.33));
    const patterns = new Int32Array(2 * 870_000);
    for (let i = 0; i < patterns.length; i++)
      patterns[i] = 0x30800000 + (i >> 1) * 293 + (i & 1 ? 0x80000000 : 0);
    const near = new Float32Array(patterns.buffer).filter((x) => Math.abs(x) <= 1);
    for (const x of [even, near]) {
      const y = await backend.ops.exp({ x: backend.tensor(x, [x.length]) }).data();
      expect(largestError(y, (i) => Math.exp(x[i]))).toBeLessThan(2);
    }
  });

  test('saturates outside, as IEEE 754 says', async () => {
    const x = backend.tensor([89, 1e30, Infinity, -88, -1e30, -Infinity, NaN, 0, -0], [9]);
    const y = Array.from(await backend.ops.exp({ x }).data());
    expect(y).toEqual([Infinity, Infinity, Infinity, 0, 0, 0, NaN, 1, 1]);
  });

  test("the scan's own, 2^(Δ A log2 e), is within 2 units over its range", async () => {
    const [channels, states] = [4096, 16];
    // With a state of 1 and an input of 0 the new state is the decay.
    const A = Float32Array.from({ length: channels * states }, (_, i) => -(i % states) - 1);
    const delta = Float32Array.from({ length: channels }, (_, i) => (5.4 * (i + 1)) / channels);
    const { ops } = backend;
    const inputs = () => ({
      u: backend.zeros([1, 1, channels]),
      delta: backend.tensor(delta, [1, 1, channels]),
      A: backend.tensor(A, [channels, states]),
      B: backend.zeros([1, 1, states]),
      C: backend.zeros([1, 1, states]),
    });
    const state = () => backend.tensor(new Float32Array(channels * states).fill(1), [1, channels, states]);
    const t = (i: number) => delta[(i / states) | 0] * Math.fround(A[i] * LOG2E);
    // Fused, the product is never rounded.
    const decay = (i: number) => 2 ** (relaxed ? t(i) : Math.fround(t(i)));
    const whole = await ops.selectiveScan({ ...inputs(), initialState: state() }).lastState;
    expect(largestError(await (whole as { data(): Promise<ArrayLike<number>> }).data(), decay)).toBeLessThan(
      2,
    );
    expect(Math.min(...Array.from(A, (_, i) => t(i)))).toBeLessThan(-120);
  });
});
