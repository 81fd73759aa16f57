import { Random } from '@mamba-ts/ssm';
import { afterAll, describe, expect, it } from 'vitest';
import { gradientError } from '../../../test/finite-differences.js';
import { randomScan, type ScanShape } from '../../../test/random-scan.js';
import { createCpuBackend } from '../../index.js';

const backend = await createCpuBackend();
afterAll(() => backend.dispose());

const KINDS = ['variable', 'grouped', 'constant'] as const;
const PACKINGS = ['pair', 'interleaved', 'real'] as const;
const SHAPE: ScanShape = { batch: 2, length: 5, channels: 4, stateSize: 2, groups: 2 };

/** Every gradient, by way of y and (every other case) of the last state too. */
function worst(seed: number, shape: ScanShape, form: Parameters<typeof randomScan>[2]) {
  const random = new Random(seed);
  const inputs = randomScan(random, shape, form);
  const complex = 're' in (inputs['A'] as object);
  const state: Record<string, string> = complex
    ? { 'lastState.re': 'dLastState.re', 'lastState.im': 'dLastState.im' }
    : { lastState: 'dLastState' };
  return gradientError(backend, 'selectiveScan', inputs, { y: 'dy', ...(random.next() < 0.7 ? state : {}) });
}

describe('selectiveScanBackward against central differences', () => {
  for (const discretization of ['mamba', 'zoh'] as const) {
    for (const [b, B] of KINDS.entries()) {
      for (const [c, C] of KINDS.entries()) {
        it(`real A, ${B} B, ${C} C, ${discretization}`, () => {
          // Four draws of the other options (D, z, deltaBias, softplus, initialState, seqIdx).
          for (let draw = 0; draw < 4; draw++) {
            const form = { complex: false, discretization, B, C } as const;
            const found = worst(100 * draw + 10 * b + c, SHAPE, form);
            expect(found.error, found.gradient).toBeLessThan(1e-7);
          }
        });

        it(`complex A, ${B} B, ${C} C, ${discretization}`, () => {
          for (const [i, packingB] of PACKINGS.entries()) {
            for (const [j, packingC] of PACKINGS.entries()) {
              if (B === 'constant' && packingB === 'interleaved') continue;
              if (C === 'constant' && packingC === 'interleaved') continue;
              const form = { complex: true, discretization, B, C, packingB, packingC } as const;
              const found = worst(1000 + 100 * i + 10 * j + b + c, { ...SHAPE, length: 4 }, form);
              expect(found.error, `${packingB} B, ${packingC} C: ${found.gradient}`).toBeLessThan(1e-7);
            }
          }
        });
      }
    }
  }

  it('over several chunks of recomputed states, and one token', () => {
    for (const length of [1, 65, 130]) {
      for (const complex of [false, true]) {
        const shape = { batch: 1, length, channels: 2, stateSize: 1, groups: 1 };
        const found = worst(length, shape, {
          complex,
          discretization: 'mamba',
          B: 'variable',
          C: 'variable',
        });
        expect(found.error, `${length} tokens: ${found.gradient}`).toBeLessThan(1e-7);
      }
    }
  });

  it('with all options at once', () => {
    const shape = { batch: 2, length: 7, channels: 4, stateSize: 3, groups: 2 };
    const form = { B: 'grouped', C: 'variable', options: 'all' } as const;
    for (const complex of [false, true]) {
      for (const discretization of ['mamba', 'zoh'] as const) {
        const found = worst(5, shape, { ...form, complex, discretization });
        expect(found.error, found.gradient).toBeLessThan(1e-7);
      }
    }
  });

  it('where A is zero or nearly so, under zero-order hold', () => {
    const random = new Random(3);
    for (const complex of [false, true]) {
      const inputs = randomScan(random, SHAPE, {
        complex,
        discretization: 'zoh',
        B: 'variable',
        C: 'variable',
        options: 'all',
      });
      const A = inputs['A'] as Record<'re' | 'im' | 'data', { data: Float64Array } & Float64Array>;
      const parts = complex ? [A.re.data, A.im.data] : [A.data as Float64Array];
      for (const part of parts) part.set([0, 1e-9, -1e-9, 1e-4, -1e-4, 0.4, 0, 0.6]);
      const found = gradientError(backend, 'selectiveScan', inputs, { y: 'dy' });
      expect(found.error, found.gradient).toBeLessThan(1e-7);
    }
  });
});
