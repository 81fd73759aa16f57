import fc from 'fast-check';
import type { OpCase } from './case.js';
import { Draw } from './draw.js';
import { channels, type Family, leading, seed, table } from './family.js';

type Stored = 'f16' | 'bf16' | 'int8' | undefined;
/** A property that is there or not: `exactOptionalPropertyTypes` knows the difference. */
const stored = (type: Stored) => (type ? { stored: type } : {});

interface LinearOptions {
  leading: readonly number[];
  in: number;
  out: number;
  bias: boolean;
  weight: Stored;
  seed: number;
}

function linearCases(name: string, given: Partial<LinearOptions>): OpCase[] {
  const options = { leading: [2, 7], in: 24, out: 17, bias: false, weight: undefined, seed: 0, ...given };
  const draw = new Draw(options.seed);
  const inputs = {
    x: draw.normal([...options.leading, options.in]),
    weight: { ...draw.normal([options.out, options.in], options.in ** -0.5), ...stored(options.weight) },
    bias: options.bias ? draw.normal([options.out]) : undefined,
  };
  const grads = { dy: draw.normal([...options.leading, options.out]) };
  return [
    { op: 'linear', name, inputs },
    { op: 'linearBackward', name, inputs, grads },
  ];
}

/** Rows, in, out. One row is the decoding path of many backends, many rows the tiled one. */
const LINEAR_SIZES = [
  [1, 1, 1],
  [1, 33, 65],
  [1, 130, 3],
  [2, 31, 5],
  [3, 64, 64],
  [5, 17, 33],
  [64, 32, 48],
  [65, 33, 17],
  [130, 70, 9],
] as const;

const STORED = ['f16', 'bf16', 'int8'] as const;

export const linear: Family = {
  ops: ['linear', 'linearBackward'],
  directed: () =>
    table(
      {
        'no bias': {},
        bias: { bias: true },
        'no leading axes': { leading: [], bias: true },
        'three leading axes': { leading: [2, 1, 3] },
        ...Object.fromEntries(
          LINEAR_SIZES.map(([rows, columns, out]) => [
            `${rows} rows, ${columns} to ${out}`,
            { leading: [rows], in: columns, out, bias: true },
          ]),
        ),
        ...Object.fromEntries(
          STORED.flatMap((weight) => [
            [`${weight} weight, one row`, { leading: [1], in: 192, out: 40, weight }],
            [`${weight} weight, rows`, { leading: [3, 5], in: 96, out: 33, bias: true, weight }],
            // A last block of int8 that is not full.
            [`${weight} weight, odd sizes`, { leading: [7], in: 173, out: 7, weight }],
          ]),
        ),
      },
      linearCases,
    ),
  random: () =>
    fc
      .record({
        leading: leading(),
        in: channels(),
        out: channels(),
        bias: fc.boolean(),
        seed: seed(),
      })
      .map((options) => linearCases('random', options)),
};

interface EmbeddingOptions {
  ids: readonly number[];
  vocab: number;
  channels: number;
  weight: Stored;
  seed: number;
}

function embeddingCases(name: string, given: Partial<EmbeddingOptions>): OpCase[] {
  const options = { ids: [2, 9], vocab: 11, channels: 24, weight: undefined, seed: 0, ...given };
  const draw = new Draw(options.seed);
  const inputs = {
    ids: draw.ints(options.ids, options.vocab),
    weight: { ...draw.normal([options.vocab, options.channels]), ...stored(options.weight) },
  };
  const grads = { dy: draw.normal([...options.ids, options.channels]) };
  return [
    { op: 'embedding', name, inputs },
    { op: 'embeddingBackward', name, inputs, grads },
  ];
}

export const embedding: Family = {
  ops: ['embedding', 'embeddingBackward'],
  directed: () =>
    table(
      {
        'ids [B, L]': {},
        'ids [L]': { ids: [6], channels: 5 },
        'one id': { ids: [1, 1], channels: 33 },
        // The gradient of a row is a sum over all its uses.
        'few rows, many ids': { ids: [4, 33], vocab: 3, channels: 17 },
        ...Object.fromEntries(
          STORED.flatMap((weight) => [
            [`${weight} weight`, { weight }],
            [`${weight} weight, odd sizes`, { channels: 45, vocab: 5, weight }],
          ]),
        ),
      },
      embeddingCases,
    ),
  random: () =>
    fc
      .record({
        ids: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 2 }),
        vocab: fc.integer({ min: 1, max: 40 }),
        channels: channels(),
        seed: seed(),
      })
      .map((options) => embeddingCases('random', options)),
};
