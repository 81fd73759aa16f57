import type { LinearRecurrenceInputs } from '@mamba-ts/backend';
import { Random } from '@mamba-ts/ssm';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { gradientError } from '../../test/finite-differences.js';
import { normal, relativeError, uniform, upload, values } from '../../test/host.js';
import { createCpuBackend } from '../index.js';

const backend = await createCpuBackend();
const { ops } = backend;
afterAll(() => backend.dispose());

function draw(seed: number, length: number, initial: boolean) {
  const random = new Random(seed);
  return {
    a: uniform(random, [2, length, 3], -1.1, 1.1),
    b: normal(random, [2, length, 3]),
    ...(initial && { initialState: normal(random, [2, 3]) }),
  };
}

/** h_t = a_t ... a_1 h_0 + sum over s of a_t ... a_{s+1} b_s */
function naive({ a, b, initialState }: ReturnType<typeof draw>): Float64Array {
  const [, length, channels] = a.shape;
  return a.data.map((_, i) => {
    const d = i % channels;
    const t = Math.floor(i / channels) % length;
    const batch = Math.floor(i / (channels * length));
    const at = (s: number) => (batch * length + s) * channels + d;
    const decays = (from: number) => {
      let product = 1;
      for (let s = from; s <= t; s++) product *= a.data[at(s)];
      return product;
    };
    let sum = initialState ? decays(0) * initialState.data[batch * channels + d] : 0;
    for (let s = 0; s <= t; s++) sum += decays(s + 1) * b.data[at(s)];
    return sum;
  });
}

const algorithm = fc.constantFrom('sequential' as const, 'associative' as const, undefined);

describe('linearRecurrence', () => {
  it('is its unrolled sum, by either algorithm, at any length', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.integer({ min: 1, max: 40 }),
        fc.boolean(),
        algorithm,
        (seed, length, initial, by) => {
          const inputs = draw(seed, length, initial);
          backend.scope(() => {
            const tensors = upload<LinearRecurrenceInputs>(backend, { ...inputs, algorithm: by });
            const { h, lastState } = ops.linearRecurrence(tensors);
            expect(relativeError(values(h), naive(inputs), 1e-3)).toBeLessThan(1e-12);
            const last = ops.split({ x: h, sizes: [length - 1, 1], axis: 1 })[1]!;
            expect(values(lastState)).toEqual(values(last));
          });
        },
      ),
    );
  });

  it('takes decays of zero', () => {
    for (const by of ['sequential', 'associative'] as const) {
      backend.scope(() => {
        const a = backend.tensor([0, 0, 0.5, 0], [1, 4, 1]);
        const b = backend.tensor([1, 2, 3, 4], [1, 4, 1]);
        const initialState = backend.tensor([7], [1, 1]);
        expect([...values(ops.linearRecurrence({ a, b, initialState, algorithm: by }).h)]).toEqual([
          1, 2, 4, 4,
        ]);
      });
    }
  });
});

describe('linearRecurrenceBackward', () => {
  it('agrees with central differences', () => {
    for (const algorithm of ['sequential', 'associative'] as const) {
      for (const length of [1, 2, 5, 8, 13]) {
        for (const initial of [false, true]) {
          const through: Record<string, string> = { h: 'dh' };
          if (length % 2 > 0) through['lastState'] = 'dLastState';
          const inputs = { ...draw(length, length, initial), algorithm };
          const { error, gradient } = gradientError(backend, 'linearRecurrence', inputs, through);
          expect(error, `${gradient}, ${algorithm}, length ${length}`).toBeLessThan(1e-7);
        }
      }
    }
  });
});
