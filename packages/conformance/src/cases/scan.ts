import fc from 'fast-check';
import type { HostTensor } from '../host.js';
import type { HostTree, OpCase } from './case.js';
import { Draw } from './draw.js';
import { batch, channels, type Family, type Limits, length, seed, states, table, upTo } from './family.js';

/** A form of B or C: constant [D, N], one a token [B, L, N], or a number of groups [B, L, G, N]. */
type Form = 'constant' | 'variable' | number;

export interface ScanOptions {
  batch: number;
  length: number;
  channels: number;
  states: number;
  B: Form;
  C: Form;
  /** Complex A; B and C then as pairs, packed along L (variable ones), or real. */
  complex: false | 'pair' | 'packed' | 'real';
  D: boolean;
  z: boolean;
  deltaBias: boolean;
  softplus: boolean;
  initialState: boolean;
  dLastState: boolean;
  seqIdx: boolean;
  discretization: 'mamba' | 'euler' | 'zoh' | undefined;
  seed: number;
}

const PLAIN: ScanOptions = {
  batch: 2,
  length: 17,
  channels: 5,
  states: 3,
  B: 'variable',
  C: 'variable',
  complex: false,
  D: false,
  z: false,
  deltaBias: false,
  softplus: false,
  initialState: false,
  dLastState: false,
  seqIdx: false,
  discretization: undefined,
  seed: 0,
};

const ALL = {
  D: true,
  z: true,
  deltaBias: true,
  softplus: true,
  initialState: true,
  dLastState: true,
} as const;

const groupsOf = (form: Form) => (typeof form === 'number' ? form : 1);

/** Groups must divide the channels. */
function fitting(options: ScanOptions): ScanOptions {
  const both = groupsOf(options.B) * groupsOf(options.C);
  return { ...options, channels: Math.ceil(options.channels / both) * both };
}

/** What the scan and its step have in common. `time` is `[L]`, and `[]` for the step. */
function inputsOf(draw: Draw, options: ScanOptions, time: readonly number[]): HostTree {
  const { batch, channels, states, complex, softplus } = options;
  const each = [batch, ...time, channels];
  const pair = (make: () => HostTensor) => ({ re: make(), im: make() });
  const form = (kind: Form) => {
    if (kind === 'constant') {
      const make = () => draw.normal([channels, states]);
      return complex && complex !== 'real' ? pair(make) : make();
    }
    const tail = kind === 'variable' ? [states] : [kind, states];
    if (complex === 'packed' && time.length > 0) return draw.normal([batch, 2 * time[0], ...tail]);
    const make = () => draw.normal([batch, ...time, ...tail]);
    return complex && complex !== 'real' ? pair(make) : make();
  };
  const decay = () => draw.decays([channels, states]);
  return {
    u: draw.normal(each),
    delta: softplus ? draw.normal(each) : draw.uniform(each, 0.01, 0.5),
    A: complex ? { re: decay(), im: draw.uniform([channels, states], -3, 3) } : decay(),
    B: form(options.B),
    C: form(options.C),
    D: options.D ? draw.normal([channels]) : undefined,
    z: options.z ? draw.normal(each) : undefined,
    deltaBias: options.deltaBias
      ? softplus
        ? draw.uniform([channels], -2, 0)
        : draw.uniform([channels], 0, 0.2)
      : undefined,
    softplus: softplus || undefined,
    discretization: options.discretization,
  };
}

function stateOf(draw: Draw, { batch, channels, states, complex }: ScanOptions) {
  const make = () => draw.normal([batch, channels, states]);
  return complex ? { re: make(), im: make() } : make();
}

/** The forward and the backward case. */
export function scanCases(name: string, given: Partial<ScanOptions>): [OpCase, OpCase] {
  const options = fitting({ ...PLAIN, ...given });
  const draw = new Draw(options.seed);
  const { batch, length, channels } = options;
  const inputs: HostTree = {
    ...inputsOf(draw, options, [length]),
    initialState: options.initialState ? stateOf(draw, options) : undefined,
    seqIdx: options.seqIdx ? draw.sequences(batch, length) : undefined,
  };
  const grads: HostTree = {
    dy: draw.normal([batch, length, channels]),
    dLastState: options.dLastState ? stateOf(draw, options) : undefined,
  };
  return [
    { op: 'selectiveScan', name, inputs },
    { op: 'selectiveScanBackward', name, inputs, grads },
  ];
}

export function scanStepCase(name: string, given: Partial<ScanOptions>): OpCase {
  const options = fitting({ ...PLAIN, ...given });
  const draw = new Draw(options.seed);
  const inputs = {
    ...inputsOf(draw, options, []),
    state: stateOf(draw, options),
    // One token's [B, N] and a constant [D, N] may look alike.
    constant: (['B', 'C'] as const).filter((name) => options[name] === 'constant'),
  };
  return { op: 'selectiveScanStep', name, inputs };
}

/** The options alone; sizes follow in `sizes`. */
const FORMS: Record<string, Partial<ScanOptions>> = {
  'no options': {},
  softplus: { softplus: true },
  'deltaBias and softplus': { softplus: true, deltaBias: true },
  'deltaBias without softplus': { deltaBias: true },
  'skip D': { D: true },
  'gate z': { z: true },
  'gate z and skip D': { D: true, z: true },
  zoh: { discretization: 'zoh' },
  'zoh, all options': { ...ALL, discretization: 'zoh' },
  'euler is another name of mamba': { discretization: 'euler' },
  'constant B': { B: 'constant' },
  'constant C': { C: 'constant' },
  'constant B and C': { B: 'constant', C: 'constant' },
  'one group': { B: 1, C: 1 },
  'B in 2 groups, C in 3': { B: 2, C: 3, channels: 6 },
  'grouped B, constant C': { B: 3, C: 'constant', channels: 6 },
  'complex A, B and C': { complex: 'pair' },
  'complex A, real B and C': { complex: 'real' },
  'complex A, constant B and C': { complex: 'pair', B: 'constant', C: 'constant' },
  'complex A, grouped B and C': { complex: 'pair', B: 2, C: 3, channels: 6 },
  'complex A, zoh': { complex: 'pair', discretization: 'zoh' },
  'complex A, all options': { ...ALL, complex: 'pair', B: 2 },
  'all options': { ...ALL, B: 2, C: 'variable' },
};

/** Options that only a sequence has. */
const SEQUENCES: Record<string, Partial<ScanOptions>> = {
  initialState: { initialState: true },
  'gradient of the last state': { dLastState: true },
  'initialState and gradient of the last state': { initialState: true, dLastState: true },
  seqIdx: { seqIdx: true },
  'seqIdx, all options': { ...ALL, seqIdx: true },
  'seqIdx, zoh': { seqIdx: true, discretization: 'zoh', initialState: true, dLastState: true },
  'complex A, packed B and C': { complex: 'packed' },
  'complex A, packed groups': { complex: 'packed', B: 2, C: 2, channels: 4 },
  'complex A, seqIdx, all options': { ...ALL, complex: 'packed', seqIdx: true },
};

/** Channels, states, length: each awkward size at least once, alone and with others. */
const SIZES = [
  [1, 1, 1],
  [3, 3, 2],
  [5, 8, 63],
  [17, 16, 64],
  [33, 1, 65],
  [33, 16, 130],
  [1, 16, 130],
  [17, 3, 65],
  [4, 33, 9],
  [2, 64, 5],
] as const;

function sizes(limits: Limits): Record<string, Partial<ScanOptions>> {
  return Object.fromEntries(
    SIZES.map(([channels, states, length], i) => {
      const options = { ...ALL, batch: 1 + (i % 3), channels, states, length: upTo(length, limits) };
      return [`D=${channels} N=${states} L=${options.length}`, { ...options, seqIdx: i % 2 === 1 }];
    }),
  );
}

const sizesOf = ({ channels, states }: ScanOptions) => `D=${channels} N=${states}`;
const anyForm = () => fc.constantFrom<Form>('variable', 'variable', 'constant', 1, 2, 3);
const anyOptions = (limits: Limits): fc.Arbitrary<ScanOptions> =>
  fc
    .record({
      batch: batch(),
      length: length(limits),
      channels: channels(),
      states: states(),
      B: anyForm(),
      C: anyForm(),
      complex: fc.constantFrom<ScanOptions['complex']>(false, false, 'pair', 'packed', 'real'),
      D: fc.boolean(),
      z: fc.boolean(),
      deltaBias: fc.boolean(),
      softplus: fc.boolean(),
      initialState: fc.boolean(),
      dLastState: fc.boolean(),
      seqIdx: fc.boolean(),
      discretization: fc.constantFrom(undefined, 'mamba' as const, 'euler' as const, 'zoh' as const),
      seed: seed(),
    })
    .filter(({ batch, length, channels, states }) => batch * length * channels * states <= 100_000);

export const scan: Family = {
  ops: ['selectiveScan', 'selectiveScanBackward', 'selectiveScanStep'],
  directed: (limits) => [
    ...table({ ...FORMS, ...SEQUENCES, ...sizes(limits) }, (name, options) =>
      scanCases(name, { ...options, length: upTo(options.length ?? PLAIN.length, limits) }),
    ),
    ...table({ ...FORMS, ...sizes(limits) }, (name, options) => [
      scanStepCase(name.replace(/ L=\d+$/, ''), options),
    ]),
  ],
  random: (limits) =>
    anyOptions(limits).map((options) => [
      ...scanCases(`random, ${sizesOf(options)} L=${options.length}`, options),
      scanStepCase(`random, ${sizesOf(options)}`, options),
    ]),
};
