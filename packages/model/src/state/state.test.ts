import type { Backend } from '@mamba-ts/backend';
import { createCpuBackend } from '@mamba-ts/cpu';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { relativeError, someIds, take } from '../../test/compare.js';
import { variants } from '../../test/variants.js';
import { MambaLM } from '../lm.js';
import type { MambaState } from './state.js';

let backend: Backend;
beforeEach(async () => {
  backend = await createCpuBackend();
});
afterEach(() => backend.dispose());

const plain = variants[0]![1];

/** Everything in a state, as numbers. */
async function contents(state: MambaState): Promise<number[]> {
  const all: number[] = [];
  for (const { conv, ssm } of state.layers) {
    for (const tensor of [conv, ...('re' in ssm ? [ssm.re, ssm.im] : [ssm])])
      all.push(...(await tensor.data()));
  }
  return all;
}

describe.each(variants)('%s', (_, config) => {
  it('prefill in any split = all at once = step by step', async () => {
    const lm = await MambaLM.create(config, { backend, dtype: 'f64', seed: 5 });
    const length = 17;
    const ids = [someIds(length, 13), someIds(length, 13, 3)];
    const whole = lm.createState(2);
    const before = backend.memory();
    const logits = await take((await lm.prefill(ids, whole)).logits);
    const end = await contents(whole);

    // The same figures by way of `forward`, which for s4d is a convolution.
    const all = await take(lm.forward(ids).logits);
    const width = lm.config.paddedVocabSize;
    const last = [0, 1].flatMap((r) =>
      all.slice((r * length + length - 1) * width, (r + 1) * length * width),
    );
    expect(relativeError(logits, last)).toBeLessThan(1e-11);

    const steps = lm.createState(2);
    const stepped: number[] = [];
    for (let t = 0; t < length; t++) {
      stepped.push(
        ...(await take(
          lm.step(
            ids.map((row) => row[t]!),
            steps,
          ).logits,
        )),
      );
    }
    const byStep = Array.from({ length: 2 * length * width }, (_, i) => {
      const [r, t, v] = [Math.floor(i / (length * width)), Math.floor(i / width) % length, i % width];
      return stepped[(t * 2 + r) * width + v]!;
    });
    expect(relativeError(byStep, all)).toBeLessThan(1e-11);
    expect(relativeError(await contents(steps), end)).toBeLessThan(1e-11);
    steps.dispose();

    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.integer({ min: 1, max: length - 1 }), { maxLength: 4 }),
        fc.integer({ min: 1, max: length + 1 }),
        async (cuts, chunkSize) => {
          const state = lm.createState(2);
          const bounds = [0, ...cuts.sort((a, b) => a - b), length];
          let got: number[] = [];
          for (let i = 1; i < bounds.length; i++) {
            const piece = ids.map((row) => row.slice(bounds[i - 1], bounds[i]));
            got = await take((await lm.prefill(piece, state, { chunkSize })).logits);
          }
          expect(state.position).toBe(length);
          expect(relativeError(got, logits)).toBeLessThan(1e-11);
          expect(relativeError(await contents(state), end)).toBeLessThan(1e-11);
          state.dispose();
        },
      ),
      { numRuns: 6 },
    );
    expect(backend.memory()).toEqual(before);
  });

  it("a batch's row = the row alone", async () => {
    const lm = await MambaLM.create(config, { backend, dtype: 'f64', seed: 6 });
    const ids = [0, 1, 2].map((r) => someIds(7, 13, r));
    const batch = await take((await lm.prefill(ids, lm.createState(3))).logits);
    const alone: number[] = [];
    for (const row of ids) alone.push(...(await take((await lm.prefill(row, lm.createState())).logits)));
    expect(relativeError(batch, alone)).toBeLessThan(1e-11);
  });

  it('forks and saved copies continue bit by bit, and independently', async () => {
    const lm = await MambaLM.create(config, { backend, seed: 7 });
    const other = await createCpuBackend();
    const twin = await MambaLM.create(config, { backend: other, seed: 7 });
    const state = lm.createState(2);
    const prompt = [someIds(5, 13), someIds(5, 13, 1)];
    (await lm.prefill(prompt, state)).logits.dispose();

    const bytes = await state.save();
    const copies: [MambaLM, MambaState][] = [
      [lm, state.fork()],
      [lm, await lm.restoreState(bytes)],
      [twin, await twin.restoreState(bytes)],
    ];
    const run = async (model: MambaLM, from: MambaState) => {
      const logits = [await take(model.step([1, 2], from).logits)];
      logits.push(await take((await model.prefill([someIds(4, 13), someIds(4, 13, 9)], from)).logits));
      return { logits, end: await contents(from), position: from.position };
    };
    const want = await run(lm, state);
    expect(want.position).toBe(10);
    for (const [model, copy] of copies) {
      expect(copy.position).toBe(5);
      expect(copy.batch).toBe(2);
      expect(await run(model, copy)).toEqual(want);
    }
    await other.dispose();
  });
});

describe('MambaState', () => {
  it('starts empty, and knows its size', async () => {
    const lm = await MambaLM.create(plain, { backend });
    const state = lm.createState(3);
    expect([state.position, state.batch, state.disposed]).toEqual([0, 3, false]);
    // 2 layers, 3 rows, 24 channels: 3 columns of convolution and 4 of state.
    expect(state.bytes).toBe(2 * 3 * 24 * (3 + 4) * 4);
    expect(new Set(await contents(state))).toEqual(new Set([0]));
    const complex = await MambaLM.create({ ...plain, complexA: true }, { backend, dtype: 'f64' });
    expect(complex.createState(1).bytes).toBe(2 * 24 * (3 + 4) * 8);
  });

  it('has a size that does not depend on what it read', async () => {
    const lm = await MambaLM.create(plain, { backend });
    const state = lm.createState();
    const { bytes } = state;
    (await lm.prefill(someIds(50, 13), state, { chunkSize: 8 })).logits.dispose();
    expect(state.bytes).toBe(bytes);
    const before = backend.memory();
    for (let i = 0; i < 20; i++) lm.step([i % 13], state).logits.dispose();
    expect(backend.memory()).toEqual(before);
  });

  it('frees its memory once, and is then unusable', async () => {
    const lm = await MambaLM.create(plain, { backend });
    const before = backend.memory();
    const state = lm.createState();
    state.dispose();
    state.dispose();
    expect(state.disposed).toBe(true);
    expect(backend.memory()).toEqual(before);
    expect(() => state.fork()).toThrow(expect.objectContaining({ code: 'DISPOSED' }));
    expect(() => lm.step([1], state)).toThrow(expect.objectContaining({ code: 'DISPOSED' }));
    await expect(state.save()).rejects.toMatchObject({ code: 'DISPOSED' });
    await expect(lm.prefill([1], state)).rejects.toMatchObject({ code: 'DISPOSED' });
  });

  it('stops a prefill when it is disposed meanwhile, without a leak', async () => {
    const lm = await MambaLM.create(plain, { backend });
    const before = backend.memory();
    const state = lm.createState();
    const reading = lm.prefill(someIds(30, 13), state, { chunkSize: 5 });
    state.dispose();
    await expect(reading).rejects.toMatchObject({ code: 'DISPOSED' });
    expect(backend.memory()).toEqual(before);
  });

  it('refuses to be moved by two calls at once', async () => {
    const lm = await MambaLM.create(plain, { backend });
    const state = lm.createState();
    const reading = lm.prefill(someIds(30, 13), state, { chunkSize: 5 });
    expect(() => lm.step([1], state)).toThrow(/in use by prefill/);
    await expect(lm.prefill([1], state)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(state.save()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    (await reading).logits.dispose();
    expect(state.position).toBe(30);
    lm.step([1], state).logits.dispose();
  });

  it("refuses another model's state", async () => {
    const lm = await MambaLM.create(plain, { backend });
    const other = await MambaLM.create(plain, { backend });
    const state = other.createState();
    await expect(lm.prefill([1], state)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(() => lm.step([1], state)).toThrow(/another model/);
  });

  it('refuses wrong numbers of rows', async () => {
    const lm = await MambaLM.create(plain, { backend });
    const state = lm.createState(2);
    expect(() => lm.step([1], state)).toThrow(expect.objectContaining({ code: 'SHAPE' }));
    await expect(lm.prefill([1, 2], state)).rejects.toMatchObject({ code: 'SHAPE' });
    await expect(lm.prefill([[1, 2], [3]], state)).rejects.toMatchObject({ code: 'SHAPE' });
    expect(() => lm.createState(0)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
    await expect(lm.prefill([[1], [2]], state, { chunkSize: 0 })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });

  it('aborts between two chunks, and says how far it came', async () => {
    const lm = await MambaLM.create(plain, { backend });
    const state = lm.createState();
    const controller = new AbortController();
    const reading = lm.prefill(someIds(100, 13), state, { chunkSize: 10, signal: controller.signal });
    setImmediate(() => controller.abort(new Error('enough')));
    await expect(reading).rejects.toMatchObject({ code: 'ABORTED', cause: new Error('enough') });
    expect(state.position % 10).toBe(0);
    expect(state.position).toBeGreaterThan(0);
    expect(state.position).toBeLessThan(100);
    // It goes on from there to the same end.
    const rest = someIds(100, 13).slice(state.position);
    const got = await take((await lm.prefill(rest, state)).logits);
    const want = await take((await lm.prefill(someIds(100, 13), lm.createState(), { chunkSize: 10 })).logits);
    expect(relativeError(got, want)).toBeLessThan(1e-5);
  });
});
