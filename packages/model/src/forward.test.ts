import type { Backend, Ops } from '@mamba-ts/backend';
import { createCpuBackend } from '@mamba-ts/cpu';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { relativeError, someIds, take } from '../test/compare.js';
import { variants } from '../test/variants.js';
import { MambaLM } from './lm.js';

let backend: Backend;
beforeEach(async () => {
  backend = await createCpuBackend();
});
afterEach(() => backend.dispose());

const plain = variants[0]![1];

describe.each(variants)('forward: %s', (_, config) => {
  it('is synchronous, frees all but its results, and takes one row or several', async () => {
    const lm = await MambaLM.create(config, { backend });
    const before = backend.memory();
    const one = lm.forward([1, 2, 3]).logits;
    const two = lm.forward([
      [1, 2, 3],
      [4, 5, 6],
    ]).logits;
    expect(one.shape).toEqual([1, 3, 16]);
    expect(two.shape).toEqual([2, 3, 16]);
    expect(backend.memory().tensors).toBe(before.tensors + 2);
    const [a, b] = [await take(one), await take(two)];
    expect(relativeError(b.slice(0, a.length), a)).toBeLessThan(1e-6);
    expect(backend.memory()).toEqual(before);
    lm.dispose();
    expect(backend.memory().tensors).toBe(0);
  });

  it('packs sequences that know nothing of each other', async () => {
    const lm = await MambaLM.create(config, { backend, dtype: 'f64' });
    const [a, b, c] = [someIds(5, 13), someIds(3, 13, 1), someIds(4, 13, 2)];
    const seqIdx = [[...a.map(() => 0), ...b.map(() => 1), ...c.map(() => 2)]];
    const packed = await take(lm.forward([[...a, ...b, ...c]], { seqIdx }).logits);
    const apart: number[] = [];
    for (const ids of [a, b, c]) apart.push(...(await take(lm.forward(ids).logits)));
    expect(relativeError(packed, apart)).toBeLessThan(1e-11);
  });

  it('moves a state along and returns every logit', async () => {
    const lm = await MambaLM.create(config, { backend, dtype: 'f64' });
    const ids = someIds(9, 13);
    const state = lm.createState();
    const parts = [await take(lm.forward(ids.slice(0, 4), { state }).logits)];
    parts.push(await take(lm.forward(ids.slice(4), { state }).logits));
    expect(state.position).toBe(9);
    expect(relativeError(parts.flat(), await take(lm.forward(ids).logits))).toBeLessThan(1e-11);
  });

  it('runs on any Ops, and then frees nothing itself', async () => {
    const lm = await MambaLM.create(config, { backend });
    const calls: string[] = [];
    const recording = new Proxy(backend.ops, {
      get: (ops, name: keyof Ops) => (inputs: never) => {
        calls.push(name);
        return (ops[name] as (inputs: never) => unknown)(inputs);
      },
    });
    const before = backend.memory();
    const got = backend.scope(() => {
      const { logits } = lm.forward([1, 2, 3], { ops: recording });
      // A tape needs every intermediate result until its backward.
      expect(backend.memory().tensors - before.tensors).toBeGreaterThan(20);
      return logits;
    });
    expect(calls[0]).toBe('exp');
    expect(calls.at(-1)).toBe('linear');
    expect(await take(got)).toEqual(await take(lm.forward([1, 2, 3]).logits));
    expect(backend.memory()).toEqual(before);
  });
});

describe('forward', () => {
  it('gives the residual stream: nLayer + 2 tensors, then freed by the caller', async () => {
    const lm = await MambaLM.create(plain, { backend });
    const before = backend.memory();
    const { logits, hidden } = lm.forward([1, 2], { hidden: true });
    expect(hidden!.map(({ shape }) => shape)).toEqual(Array(4).fill([1, 2, 12]));
    for (const tensor of [logits, ...hidden!]) tensor.dispose();
    expect(backend.memory()).toEqual(before);
  });

  it('sees parameters that changed in place, once it is told', async () => {
    const lm = await MambaLM.create(plain, { backend });
    const logits = async () => take(lm.forward([1, 2, 3]).logits);
    const old = await logits();
    const param = lm.parameters().get('backbone.layers.0.mixer.A_log')!;
    const [m, v] = [backend.zeros(param.shape), backend.zeros(param.shape)];
    const grad = backend.ops.fill({ shape: param.shape, value: 1 });
    const rates = { lr: 5, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0 };
    backend.ops.adamW({ param, grad, m, v, step: 1, ...rates });
    lm.parametersChanged();
    const fresh = await logits();
    expect(relativeError(fresh, old)).toBeGreaterThan(1e-5);
    // A tape always computes from the parameters as they are.
    const taped = backend.scope(() => lm.forward([1, 2, 3], { ops: backend.ops }).logits);
    expect(await take(taped)).toEqual(fresh);
  });

  it("survives a caller's scope that closes over what it keeps", async () => {
    const lm = await MambaLM.create(plain, { backend });
    const want = await take(lm.forward([1, 2]).logits);
    lm.parametersChanged();
    backend.scope(() => {
      lm.forward([1, 2]);
    });
    expect(await take(lm.forward([1, 2]).logits)).toEqual(want);
  });

  it.each<[string, unknown, object, string]>([
    ['no tokens', [], {}, 'SHAPE'],
    ['no rows with tokens', [[]], {}, 'SHAPE'],
    ['rows of unequal length', [[1, 2], [3]], {}, 'SHAPE'],
    ['an id beyond the padding', [16], {}, 'INVALID_ARGUMENT'],
    ['a negative id', [[-1]], {}, 'INVALID_ARGUMENT'],
    ['a fraction', [0.5], {}, 'INVALID_ARGUMENT'],
    ['no number', ['a'], {}, 'INVALID_ARGUMENT'],
    ['a short seqIdx', [[1, 2]], { seqIdx: [[0]] }, 'SHAPE'],
    ['seqIdx for other rows', [[1], [2]], { seqIdx: [[0]] }, 'SHAPE'],
  ])('refuses %s', async (_, ids, options, code) => {
    const lm = await MambaLM.create(plain, { backend });
    const before = backend.memory();
    expect(() => lm.forward(ids as number[], options)).toThrow(expect.objectContaining({ code }));
    expect(backend.memory()).toEqual(before);
  });

  it('refuses a tape with a state, and a disposed model', async () => {
    const lm = await MambaLM.create(plain, { backend });
    const state = lm.createState();
    expect(() => lm.forward([1], { state, ops: backend.ops })).toThrow(/tape/);
    lm.dispose();
    lm.dispose();
    const disposed = expect.objectContaining({ code: 'DISPOSED' });
    expect(() => lm.forward([1])).toThrow(disposed);
    expect(() => lm.createState()).toThrow(disposed);
    expect(() => lm.parameters()).toThrow(disposed);
    expect(() => lm.parametersChanged()).toThrow(disposed);
    expect(() => lm.step([1], state)).toThrow(disposed);
    await expect(lm.prefill([1], state)).rejects.toMatchObject({ code: 'DISPOSED' });
    await expect(lm.fingerprint()).rejects.toMatchObject({ code: 'DISPOSED' });
    await expect(lm.restoreState(new Uint8Array())).rejects.toMatchObject({ code: 'DISPOSED' });
    await expect(lm.complete([1])).rejects.toMatchObject({ code: 'DISPOSED' });
    await expect((async () => lm.encode())()).rejects.toMatchObject({ code: 'DISPOSED' });
  });
});
