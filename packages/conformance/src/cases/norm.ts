import fc from 'fast-check';
import type { OpCase } from './case.js';
import { Draw } from './draw.js';
import { channels, type Family, leading, seed, table } from './family.js';

interface NormOptions {
  leading: readonly number[];
  channels: number;
  residual: boolean;
  dresidual: boolean;
  /** Of layerNorm. */
  bias: boolean;
  eps: number;
  seed: number;
}

const PLAIN: NormOptions = {
  leading: [2, 7],
  channels: 24,
  residual: false,
  dresidual: false,
  bias: false,
  eps: 1e-5,
  seed: 0,
};

function cases(op: 'rmsNorm' | 'layerNorm', name: string, given: Partial<NormOptions>): OpCase[] {
  const { leading, channels, residual, dresidual, bias, eps, seed } = { ...PLAIN, ...given };
  const draw = new Draw(seed);
  const shape = [...leading, channels];
  const inputs = {
    x: draw.normal(shape),
    weight: draw.normal([channels]),
    ...(op === 'layerNorm' && bias ? { bias: draw.normal([channels]) } : {}),
    eps,
    residual: residual ? draw.normal(shape) : undefined,
  };
  const grads = { dy: draw.normal(shape), dresidual: dresidual ? draw.normal(shape) : undefined };
  return [
    { op, name, inputs },
    { op: `${op}Backward`, name, inputs, grads },
  ];
}

const FORMS: Record<string, Partial<NormOptions>> = {
  'no options': {},
  residual: { residual: true },
  'residual and its gradient': { residual: true, dresidual: true },
  'gradient of the residual output alone': { dresidual: true },
  'large eps': { eps: 0.5 },
  'no leading axes': { leading: [], residual: true },
  ...Object.fromEntries(
    [2, 3, 5, 17, 33, 130].map((channels) => [
      `D=${channels}`,
      { leading: [3], channels, residual: true, dresidual: true, bias: true },
    ]),
  ),
};

function family(op: 'rmsNorm' | 'layerNorm'): Family {
  return {
    ops: [op, `${op}Backward`],
    directed: () =>
      table(op === 'layerNorm' ? { ...FORMS, bias: { bias: true } } : FORMS, (name, options) =>
        cases(op, name, options),
      ),
    random: () =>
      fc
        .record({
          leading: leading(),
          // The mean of one channel is the channel: layerNorm of it is 0 / sqrt(eps), no test of anything.
          channels: channels().map((n) => Math.max(2, n)),
          residual: fc.boolean(),
          dresidual: fc.boolean(),
          bias: fc.boolean(),
          eps: fc.constantFrom(1e-5, 1e-6, 0.1),
          seed: seed(),
        })
        .map((options) => cases(op, 'random', options)),
  };
}

export const rmsNorm = family('rmsNorm');
export const layerNorm = family('layerNorm');
