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

/**
 * Two channels less their mean are plus and minus one number, whatever it is: layerNorm's gradient all but vanishes, and
 * what is left is rounding. One channel has no root mean square but itself.
 */
const FEWEST = { rmsNorm: 2, layerNorm: 3 };

const FORMS: Record<string, Partial<NormOptions>> = {
  'no options': {},
  residual: { residual: true },
  'residual and its gradient': { residual: true, dresidual: true },
  'gradient of the residual output alone': { dresidual: true },
  'large eps': { eps: 0.5 },
  'no leading axes': { leading: [], residual: true },
};

function forms(op: 'rmsNorm' | 'layerNorm'): Record<string, Partial<NormOptions>> {
  const sizes = [FEWEST[op], 5, 17, 33, 130].map((channels) => [
    `D=${channels}`,
    { leading: [3], channels, residual: true, dresidual: true, bias: true },
  ]);
  return { ...FORMS, ...Object.fromEntries(sizes), ...(op === 'layerNorm' ? { bias: { bias: true } } : {}) };
}

function family(op: 'rmsNorm' | 'layerNorm'): Family {
  return {
    ops: [op, `${op}Backward`],
    directed: () => table(forms(op), (name, options) => cases(op, name, options)),
    random: () =>
      fc
        .record({
          leading: leading(),
          channels: channels().map((n) => Math.max(FEWEST[op], n)),
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
