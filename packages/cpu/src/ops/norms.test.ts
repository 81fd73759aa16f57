import type { LayerNormInputs, Tensor } from '@mamba-ts/backend';
import { Random } from '@mamba-ts/ssm';
import { afterAll, describe, expect, it } from 'vitest';
import { gradientError } from '../../test/finite-differences.js';
import { type Host, normal, relativeError, upload, values } from '../../test/host.js';
import { createCpuBackend } from '../index.js';

const backend = await createCpuBackend();
const { ops } = backend;
afterAll(() => backend.dispose());

const EPS = 1e-2;
const random = new Random(1);
const x = normal(random, [2, 3, 5]);
const weight = normal(random, [5]);
const residual = normal(random, [2, 3, 5]);
const bias = normal(random, [5]);

/** Row by row, from the definitions of mean, variance and mean square. */
function naive(norm: 'rms' | 'layer', sum: Float64Array, biased: Host | undefined): number[] {
  const out: number[] = [];
  for (let row = 0; row < 6; row++) {
    const r = [...sum.subarray(5 * row, 5 * row + 5)];
    const mean = norm === 'layer' ? r.reduce((a, b) => a + b) / 5 : 0;
    const variance = r.map((value) => (value - mean) ** 2).reduce((a, b) => a + b) / 5;
    r.forEach((value, d) => {
      out.push(((value - mean) / Math.sqrt(variance + EPS)) * weight.data[d] + (biased?.data[d] ?? 0));
    });
  }
  return out;
}

for (const norm of ['rms', 'layer'] as const) {
  const op = norm === 'rms' ? 'rmsNorm' : 'layerNorm';
  const forms: { residual?: Host; bias?: Host }[] =
    norm === 'rms' ? [{}, { residual }] : [{}, { residual }, { bias }, { residual, bias }];

  describe(op, () => {
    for (const form of forms) {
      const name = `with ${Object.keys(form).join(' and ') || 'weight only'}`;
      it(`follows its definition ${name}`, () => {
        backend.scope(() => {
          const inputs = upload<LayerNormInputs>(backend, { x, weight, eps: EPS, ...form });
          const out = ops[op](inputs);
          const sum = x.data.map((value, i) => value + (form.residual?.data[i] ?? 0));
          expect(relativeError(values(out.y), naive(norm, sum, form.bias))).toBeLessThan(1e-14);
          expect(values(out.residual)).toEqual(sum);
          if (!form.residual) expect(out.residual).toBe(inputs.x);
        });
      });

      it(`agrees with central differences ${name}`, () => {
        const inputs = { x, weight, eps: EPS, ...form };
        // Without a residual input the residual output is x itself, and no op made it.
        const through = { y: 'dy', ...(form.residual && { residual: 'dresidual' }) };
        const { error, gradient } = gradientError(backend, op, inputs, through, { residual: 'dx' });
        expect(error, gradient).toBeLessThan(1e-7);
      });
    }

    it('adds a gradient of the residual output even where that is x', () => {
      backend.scope(() => {
        const inputs = upload<LayerNormInputs>(backend, { x, weight, eps: EPS });
        const zeros = backend.zeros(x.shape, 'f64');
        const dresidual = upload<Tensor>(backend, residual);
        const { dx } = ops[`${op}Backward`](inputs, { dy: zeros, dresidual });
        expect(values(dx)).toEqual(residual.data);
      });
    });

    it('does not overflow or lose the mean on large values', () => {
      backend.scope(() => {
        const large = backend.tensor([1e150, -1e150, 1e150, 1e150], [1, 4], 'f64');
        const y = ops[op]({ x: large, weight: backend.tensor([1, 1, 1, 1], [4], 'f64'), eps: 1e-5 }).y;
        expect(values(y).every(Number.isFinite)).toBe(true);
      });
    });
  });
}
