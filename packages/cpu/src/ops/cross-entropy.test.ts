import type { CrossEntropyInputs } from '@mamba-ts/backend';
import { Random } from '@mamba-ts/ssm';
import { afterAll, describe, expect, it } from 'vitest';
import { gradientError } from '../../test/finite-differences.js';
import { host, hostInts, normal, upload, values } from '../../test/host.js';
import { createCpuBackend } from '../index.js';

const backend = await createCpuBackend();
const { ops } = backend;
afterAll(() => backend.dispose());

const logits = normal(new Random(1), [2, 3, 5], 2);
const targets = hostInts([2, 3], [4, -100, 0, 2, 2, -100]);

const loss = (inputs: object) =>
  backend.scope(() => values(ops.crossEntropy(upload<CrossEntropyInputs>(backend, inputs)))[0]);

describe('crossEntropy', () => {
  it('is the mean of -log softmax over the targets that count', () => {
    const terms = [...targets.data].flatMap((target, row) => {
      if (target === -100) return [];
      const weights = [...logits.data.subarray(5 * row, 5 * row + 5)].map(Math.exp);
      return [-Math.log(weights[target] / weights.reduce((a, b) => a + b))];
    });
    expect(terms.length).toBe(4);
    expect(loss({ logits, targets })).toBeCloseTo(terms.reduce((a, b) => a + b) / 4, 14);
  });

  it('takes another index to ignore', () => {
    const some = hostInts([2, 3], [4, 1, 0, 2, 2, 1]);
    expect(loss({ logits, targets: some, ignoreIndex: 1 })).toBe(loss({ logits, targets }));
    expect(() => loss({ logits, targets, ignoreIndex: 0 })).toThrow(
      expect.objectContaining({ code: 'SHAPE' }),
    );
  });

  it('does not overflow, and takes logits of -infinity', () => {
    const one = hostInts([1], [0]);
    expect(loss({ logits: host([1, 2], [1e300, 0]), targets: one })).toBe(0);
    expect(loss({ logits: host([1, 2], [-1e4, 1e4]), targets: one })).toBe(2e4);
    expect(loss({ logits: host([1, 3], [0, 0, Number.NEGATIVE_INFINITY]), targets: one })).toBeCloseTo(
      Math.LN2,
      15,
    );
  });

  it('is 0, with gradients of 0, if no target counts', () => {
    backend.scope(() => {
      const none = { logits, targets: hostInts([2, 3], new Array(6).fill(-100)) };
      const inputs = upload<CrossEntropyInputs>(backend, none);
      const value = ops.crossEntropy(inputs);
      expect([value.shape, values(value)[0]]).toEqual([[], 0]);
      const { dlogits } = ops.crossEntropyBackward(inputs, {
        dloss: ops.fill({ shape: [], value: 1, dtype: 'f64' }),
      });
      expect(values(dlogits).every((x) => x === 0)).toBe(true);
    });
  });

  it('names a target that the vocabulary lacks', () => {
    for (const bad of [-1, 5]) {
      const refusal = expect.objectContaining({
        code: 'SHAPE',
        message: expect.stringContaining(`targets contain ${bad}`),
      });
      const inputs = { logits, targets: hostInts([2, 3], [0, 0, bad, 0, 0, 0]) };
      expect(() => loss(inputs)).toThrow(refusal);
      backend.scope(() => {
        const dloss = backend.zeros([], 'f64');
        const uploaded = upload<CrossEntropyInputs>(backend, inputs);
        expect(() => ops.crossEntropyBackward(uploaded, { dloss })).toThrow(refusal);
      });
    }
  });
});

describe('crossEntropyBackward', () => {
  it('agrees with central differences', () => {
    const { error } = gradientError(backend, 'crossEntropy', { logits, targets }, { '': 'dloss' });
    expect(error).toBeLessThan(1e-7);
  });
});
