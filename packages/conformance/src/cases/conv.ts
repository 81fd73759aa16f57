import fc from 'fast-check';
import type { OpCase } from './case.js';
import { Draw } from './draw.js';
import { batch, channels, type Family, type Limits, length, seed, table, upTo } from './family.js';

export interface ConvOptions {
  batch: number;
  length: number;
  channels: number;
  width: number;
  bias: boolean;
  activation: 'silu' | undefined;
  initialState: boolean;
  dLastState: boolean;
  seqIdx: boolean;
  seed: number;
}

const PLAIN: ConvOptions = {
  batch: 2,
  length: 9,
  channels: 5,
  width: 4,
  bias: false,
  activation: undefined,
  initialState: false,
  dLastState: false,
  seqIdx: false,
  seed: 0,
};

const ALL = { bias: true, activation: 'silu', initialState: true, dLastState: true } as const;

/** The forward and the backward case. */
export function convCases(name: string, given: Partial<ConvOptions>): [OpCase, OpCase] {
  const options = { ...PLAIN, ...given };
  const { batch, length, channels, width } = options;
  const draw = new Draw(options.seed);
  const state = [batch, width - 1, channels];
  const inputs = {
    x: draw.normal([batch, length, channels]),
    weight: draw.normal([channels, width], 0.5),
    bias: options.bias ? draw.normal([channels]) : undefined,
    activation: options.activation,
    initialState: options.initialState ? draw.normal(state) : undefined,
    seqIdx: options.seqIdx ? draw.sequences(batch, length) : undefined,
  };
  const grads = {
    dy: draw.normal([batch, length, channels]),
    dLastState: options.dLastState ? draw.normal(state) : undefined,
  };
  return [
    { op: 'causalConv1d', name, inputs },
    { op: 'causalConv1dBackward', name, inputs, grads },
  ];
}

export function convStepCase(name: string, given: Partial<ConvOptions>): OpCase {
  const { batch, channels, width, bias, activation, seed } = { ...PLAIN, ...given };
  const draw = new Draw(seed);
  const inputs = {
    x: draw.normal([batch, channels]),
    weight: draw.normal([channels, width], 0.5),
    bias: bias ? draw.normal([channels]) : undefined,
    activation,
    state: draw.normal([batch, width - 1, channels]),
  };
  return { op: 'causalConv1dStep', name, inputs };
}

const FORMS: Record<string, Partial<ConvOptions>> = {
  'no options': {},
  bias: { bias: true },
  silu: { activation: 'silu' },
  'width 1': { width: 1, bias: true },
  'width 2': { width: 2, ...ALL },
  'width 3': { width: 3, ...ALL },
  'width 5': { width: 5, ...ALL },
  'width 9': { width: 9, ...ALL },
  'all options': ALL,
};

const SEQUENCES: Record<string, Partial<ConvOptions>> = {
  initialState: { initialState: true },
  'gradient of the last state': { dLastState: true },
  'shorter than the window': { ...ALL, length: 2 },
  'shorter than the window, seqIdx': { ...ALL, length: 3, width: 6, seqIdx: true },
  seqIdx: { seqIdx: true },
  'seqIdx, all options': { ...ALL, seqIdx: true },
};

const SIZES = [
  [1, 1],
  [3, 2],
  [5, 63],
  [17, 64],
  [33, 65],
  [64, 130],
] as const;

function sizes(limits: Limits): Record<string, Partial<ConvOptions>> {
  return Object.fromEntries(
    SIZES.map(([channels, length], i) => {
      const options = { ...ALL, batch: 1 + (i % 3), channels, length: upTo(length, limits) };
      return [`D=${channels} L=${options.length}`, { ...options, seqIdx: i % 2 === 1 }];
    }),
  );
}

const anyOptions = (limits: Limits): fc.Arbitrary<ConvOptions> =>
  fc.record({
    batch: batch(),
    length: length(limits),
    channels: channels(),
    width: fc.constantFrom(2, 3, 4, 4, 5, 7),
    bias: fc.boolean(),
    activation: fc.constantFrom(undefined, 'silu' as const),
    initialState: fc.boolean(),
    dLastState: fc.boolean(),
    seqIdx: fc.boolean(),
    seed: seed(),
  });

export const conv: Family = {
  ops: ['causalConv1d', 'causalConv1dBackward', 'causalConv1dStep'],
  directed: (limits) => [
    ...table({ ...FORMS, ...SEQUENCES, ...sizes(limits) }, (name, options) =>
      convCases(name, { ...options, length: upTo(options.length ?? PLAIN.length, limits) }),
    ),
    ...table({ ...FORMS, ...sizes(limits) }, (name, options) => [
      convStepCase(name.replace(/ L=\d+$/, ''), options),
    ]),
  ],
  random: (limits) =>
    anyOptions(limits).map((options) => [...convCases('random', options), convStepCase('random', options)]),
};
