import fc from 'fast-check';
import type { OpCase } from './case.js';
import { Draw } from './draw.js';
import { batch, channels, type Family, seed, states, table } from './family.js';

type Stored = 'f16' | 'bf16' | 'int8' | undefined;

interface Options {
  batch: number;
  /** E */
  model: number;
  channels: number;
  width: number;
  rank: number;
  states: number;
  residual: boolean;
  convBias: boolean;
  D: boolean;
  /** Of the large projections. */
  weight: Stored;
  /** Of those to and from Δ, B and C. */
  small: Stored;
  seed: number;
}

const PLAIN: Options = {
  batch: 1,
  model: 24,
  channels: 40,
  width: 4,
  rank: 8,
  states: 16,
  residual: true,
  convBias: true,
  D: true,
  weight: undefined,
  small: undefined,
  seed: 0,
};

function stepCase(name: string, given: Partial<Options>): OpCase {
  const options = { ...PLAIN, ...given };
  const { batch, model, channels, width, rank, states } = options;
  const draw = new Draw(options.seed);
  const matrix = (rows: number, columns: number, stored: Stored) => ({
    ...draw.normal([rows, columns], columns ** -0.5),
    ...(stored ? { stored } : {}),
  });
  const inputs = {
    x: draw.normal([batch, model]),
    residual: options.residual ? draw.normal([batch, model]) : undefined,
    normWeight: draw.normal([model]),
    eps: 1e-5,
    inProj: matrix(2 * channels, model, options.weight),
    convWeight: draw.normal([channels, width], 0.5),
    convBias: options.convBias ? draw.normal([channels]) : undefined,
    convState: draw.normal([batch, width - 1, channels]),
    xProj: matrix(rank + 2 * states, channels, options.small),
    dtProj: matrix(channels, rank, options.small),
    dtBias: draw.uniform([channels], -2, 0),
    A: draw.decays([channels, states]),
    D: options.D ? draw.normal([channels]) : undefined,
    state: draw.normal([batch, channels, states]),
    outProj: matrix(model, channels, options.weight),
  };
  return { op: 'mambaStep', name, inputs };
}

export const mambaStep: Family = {
  ops: ['mambaStep'],
  directed: () =>
    table<Partial<Options>>(
      {
        'one row': {},
        'three rows': { batch: 3 },
        'many rows': { batch: 11 },
        'no residual': { residual: false },
        'no bias of the convolution': { convBias: false },
        'no skip D': { D: false },
        'width 2, 4 states': { width: 2, states: 4 },
        'width 1': { width: 1 },
        '20 states, rank 12': { states: 20, rank: 12 },
        'rank 10': { rank: 10 },
        'sizes that are no multiples of four': { batch: 2, model: 10, channels: 15, rank: 3, states: 5 },
        'one of everything': { model: 1, channels: 1, width: 1, rank: 1, states: 1 },
        'f16 weights': { weight: 'f16', small: 'f16' },
        'f16 weights, rank 3, two rows': { batch: 2, weight: 'f16', small: 'f16', rank: 3 },
        'bf16 weights': { weight: 'bf16', small: 'bf16' },
        'int8 weights': { model: 64, channels: 96, weight: 'int8', small: 'int8' },
        'int8 and f16 weights': { model: 64, channels: 96, weight: 'int8', small: 'f16' },
      },
      (name, options) => [stepCase(name, options)],
    ),
  random: () =>
    fc
      .record({
        batch: batch(),
        model: channels(),
        channels: channels(),
        width: fc.integer({ min: 1, max: 5 }),
        rank: fc.integer({ min: 1, max: 9 }),
        states: states(),
        residual: fc.boolean(),
        convBias: fc.boolean(),
        D: fc.boolean(),
        seed: seed(),
      })
      .map((options) => [stepCase('random', options)]),
};
