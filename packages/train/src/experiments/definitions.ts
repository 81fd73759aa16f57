import { MambaError } from '@mamba-ts/backend';
import type { TrainSettings } from '../settings.js';

export const EXPERIMENT_NAMES = ['induction-heads', 'selective-copying', 'copying', 'ablation'] as const;
export type ExperimentName = (typeof EXPERIMENT_NAMES)[number];

/** One thing that is compared. */
export interface ExperimentRow {
  /** Names its folders. */
  name: string;
  label: string;
  settings: Partial<TrainSettings>;
  /** Longest test sequence that it is asked for. */
  maxLength?: number | undefined;
}

export interface Experiment {
  name: ExperimentName;
  title: string;
  /** What all rows have in common; the budget (steps, batch, lengths) among it. */
  settings: Partial<TrainSettings> & Pick<TrainSettings, 'task' | 'length' | 'dModel'>;
  rows: readonly ExperimentRow[];
  /** Lengths of the test sequences. */
  testLengths: readonly number[];
  /** Tokens of a test at one length, where that makes from 4 to 256 sequences. */
  testTokens: number;
  /** What the plot shows accuracy against. */
  plot: 'length' | 'step';
}

/** What may differ from an experiment's own settings. */
export interface ExperimentOverrides {
  steps?: number | undefined;
  batch?: number | undefined;
  length?: number | undefined;
  minLength?: number | undefined;
  lr?: number | undefined;
  dModel?: number | undefined;
  testTokens?: number | undefined;
  /** Longest test sequence (induction heads). */
  maxTestLength?: number | undefined;
  /** A minute's look at how it all works: a tiny model, few steps, short tests. Its figures mean nothing. */
  quick?: boolean | undefined;
}

/** Attention's scores are [L, L]: time and memory grow with the square. */
const ATTENTION_MAX_LENGTH = 2 ** 11;

/** S4D carries a state to any length, but a scan with complex A is slow, and past twice the training length it guesses. */
const S4D_MAX_LENGTH = 2 ** 13;

const QUICK = { steps: 30, batch: 2, dModel: 16, evalEvery: 10, evalSize: 8, saveEvery: 10 };

/** An experiment with its settings. docs/experiments.md has the reasons for every one. */
export function experiment(name: ExperimentName, overrides: ExperimentOverrides = {}): Experiment {
  const { quick = false, testTokens, maxTestLength, ...given } = overrides;
  const known = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const own = BUDGETS[name];
  if (own === undefined) {
    throw new MambaError(
      'INVALID_ARGUMENT',
      `there is no experiment "${String(name)}": give one of ${EXPERIMENT_NAMES.join(', ')}`,
    );
  }
  const merged = { ...own, ...(quick && QUICK), ...known };
  const settings = {
    ...merged,
    warmup: Math.min(merged.warmup, merged.steps),
    // Read by the cosine alone.
    minLr: merged.lr / 100,
  };
  const { dModel, length } = settings;
  const induction = name === 'induction-heads';
  return {
    name,
    title: TITLES[name],
    settings,
    rows: ROWS[name](dModel).map((row) => {
      const { lr = row.settings.lr } = given;
      return lr === undefined ? row : { ...row, settings: { ...row.settings, lr } };
    }),
    testLengths: induction ? powersOfTwo(2 ** 6, maxTestLength ?? (quick ? 2 ** 8 : 2 ** 20)) : [length],
    testTokens: testTokens ?? (quick ? 2 ** 8 : 2 ** 20),
    plot: induction ? 'length' : 'step',
  };
}

const TITLES: Record<ExperimentName, string> = {
  'induction-heads': 'Induction heads: accuracy far past the training length',
  'selective-copying': 'Selective copying: what to keep depends on what it is',
  copying: 'Copying: only time counts',
  ablation: 'Selective copying: which of Δ, B and C depend on the input',
};

const COMMON = {
  dModel: 64,
  layers: 2,
  schedule: 'constant',
  warmup: 50,
  weightDecay: 0,
  evalEvery: 200,
  saveEvery: 200,
} as const;

const SELECTIVE_COPYING = {
  ...COMMON,
  task: 'selective-copying',
  length: 256,
  minLength: 32,
  batch: 16,
  steps: 12_000,
  lr: 5e-3,
  schedule: 'cosine',
  evalEvery: 300,
  evalSize: 32,
} as const;

const BUDGETS = {
  'induction-heads': {
    ...COMMON,
    task: 'induction-heads',
    length: 256,
    minLength: 8,
    batch: 16,
    steps: 4000,
    lr: 1e-2,
    evalSize: 128,
  },
  'selective-copying': SELECTIVE_COPYING,
  // One length only: what a convolution learns is how many tokens ago, and that is another number at every length.
  copying: { ...SELECTIVE_COPYING, task: 'copying', minLength: undefined, steps: 6000 },
  ablation: SELECTIVE_COPYING,
} as const satisfies Record<ExperimentName, Experiment['settings']>;

const s6: ExperimentRow = { name: 's6', label: 'S6 (Mamba)', settings: { mixer: 's6' } };
const s4d = (dModel: number): ExperimentRow => ({
  name: 's4d',
  label: 'S4D (LTI)',
  settings: { mixer: 's4d', model: { dState: s4dStates(dModel) } },
  maxLength: S4D_MAX_LENGTH,
});
/** At the learning rate of the others it diverges. */
const attention: ExperimentRow = {
  name: 'attention',
  label: 'attention',
  settings: { mixer: 'attention', lr: 3e-3 },
  maxLength: ATTENTION_MAX_LENGTH,
};
const selective = (name: string, label: string, delta: boolean, B: boolean, C: boolean): ExperimentRow => ({
  name,
  label,
  settings: { mixer: 's6', model: { selective: { delta, B, C } } },
});

const ROWS: Record<ExperimentName, (dModel: number) => ExperimentRow[]> = {
  'induction-heads': (dModel) => [s6, s4d(dModel), attention],
  'selective-copying': (dModel) => [s6, s4d(dModel), attention],
  copying: (dModel) => [s4d(dModel), s6],
  ablation: () => [
    selective('none', 'none', false, false, false),
    selective('delta', 'Δ', true, false, false),
    selective('B', 'B', false, true, false),
    selective('C', 'C', false, false, true),
    selective('all', 'Δ, B and C', true, true, true),
  ],
};

/**
 * The states that give an S4D mixer as many parameters as an S6 mixer of N = 16 has. A channel of S6 has 3 N + 2 R + 2 of them
 * (x_proj R + 2 N, dt_proj R + 1, A N, D 1, with R = ceil(dModel / 16)), one of S4D 2 N + 2 (log_dt, D, and the real and
 * imaginary parts of A and C for N / 2 pairs). Even: to one pair.
 */
export function s4dStates(dModel: number): number {
  return 2 * Math.round((3 * 16 + 2 * Math.ceil(dModel / 16)) / 4);
}

function powersOfTwo(from: number, to: number): number[] {
  const found: number[] = [];
  for (let power = from; power <= to; power *= 2) found.push(power);
  return found;
}
