import { MambaError } from '@mamba-ts/backend';
import type { MambaConfigInput } from '@mamba-ts/model';

export const TASK_NAMES = ['text', 'copying', 'selective-copying', 'induction-heads'] as const;
export type TaskName = (typeof TASK_NAMES)[number];

/** Everything that a run's result depends on, but for the backend. Kept in the run's `options.json`. */
export interface TrainSettings {
  task: TaskName;
  /** File to learn; task `text` only. */
  data?: string | undefined;
  /** Optimiser steps in all. */
  steps: number;
  /** Sequences a batch. */
  batch: number;
  /** Tokens a training sequence. */
  length: number;
  /** Tokens of the shortest training sequence, of mixed lengths up to `length`; not for text. See `SyntheticSettings`. */
  minLength?: number | undefined;
  /** Tokens besides the special one; induction heads only. */
  symbols?: number | undefined;
  /** All tokens, noise and marker included; copying and selective copying only. */
  vocabSize?: number | undefined;
  /** Tokens to memorise; copying and selective copying only. */
  tokens?: number | undefined;
  /** Batches whose gradients are averaged into one step. */
  accumulate: number;
  /** Of the initial weights and of the data. */
  seed: number;
  dModel: number;
  layers: number;
  /** `attention` is the Transformer baseline, `AttentionLM`, which nothing but training and evaluation can use. */
  mixer: 's6' | 's4d' | 'attention';
  /** Heads of the attention baseline. */
  heads?: number | undefined;
  /** Further fields of the model's config; not for attention. */
  model: Partial<MambaConfigInput>;
  /** Highest learning rate. */
  lr: number;
  /** Where the cosine ends. */
  minLr: number;
  schedule: 'constant' | 'cosine';
  /** Steps of linear warm-up. */
  warmup: number;
  weightDecay: number;
  /** Largest gradient norm; 0 never clips. (JSON has no Infinity.) */
  clip: number;
  /** Steps between evaluations. */
  evalEvery: number;
  /** Bytes (text) or sequences (other tasks) of an evaluation. */
  evalSize: number;
  /** Tokens of an evaluation sequence; not for text, whose evaluation is one sequence. */
  evalLength: number;
  /** Steps between checkpoints. */
  saveEvery: number;
  /** Checkpoints kept. */
  keep: number;
}

const COMMON = {
  accumulate: 1,
  seed: 1,
  mixer: 's6',
  model: {},
  clip: 1,
  keep: 2,
} as const;

/* The paper's (tables 1, 2 and 11) where a CPU can follow. It trains induction heads for 204,800 steps, and selective
 * copying for 400,000 at length 4096 and learning rate 1e-4. Weight decay hurts both (state-spaces/mamba issue 298). */
const SYNTHETIC = {
  ...COMMON,
  dModel: 64,
  layers: 2,
  length: 256,
  lr: 1e-3,
  schedule: 'constant',
  warmup: 0,
  weightDecay: 0,
  evalEvery: 500,
  evalSize: 256,
  saveEvery: 500,
} as const;

const DEFAULTS = {
  text: {
    ...COMMON,
    dModel: 128,
    layers: 4,
    length: 256,
    batch: 8,
    steps: 2000,
    lr: 3e-3,
    schedule: 'cosine',
    warmup: 100,
    weightDecay: 0.1,
    evalEvery: 200,
    evalSize: 16384,
    saveEvery: 200,
  },
  'induction-heads': { ...SYNTHETIC, batch: 8, steps: 50_000 },
  copying: { ...SYNTHETIC, batch: 64, steps: 20_000 },
  'selective-copying': { ...SYNTHETIC, batch: 64, steps: 20_000 },
} as const satisfies Record<TaskName, object>;

/** What may differ when a run is resumed. Everything else would make it another run. */
const MAY_CHANGE = new Set<keyof TrainSettings>([
  'data',
  'steps',
  'lr',
  'minLr',
  'schedule',
  'warmup',
  'weightDecay',
  'clip',
  'evalEvery',
  'evalSize',
  'evalLength',
  'saveEvery',
  'keep',
]);

/**
 * Fills in what was not given: from the run that is resumed, or else from the task's defaults.
 * @throws MambaError `INVALID_ARGUMENT` for an unknown task, data that is missing or not wanted, or a value that
 * contradicts the run that is resumed
 */
export function resolveSettings(
  given: Partial<TrainSettings>,
  resumed: Partial<TrainSettings> | undefined,
): TrainSettings {
  const known = dropUndefined(given);
  for (const key of Object.keys(known) as (keyof TrainSettings)[]) {
    if (!resumed || MAY_CHANGE.has(key)) continue;
    const [now, before] = [JSON.stringify(known[key]), JSON.stringify(resumed[key])];
    if (now !== before) {
      throw new MambaError(
        'INVALID_ARGUMENT',
        `resume: the run was started with ${key} ${before}, not ${now}: leave it out, or start another run`,
      );
    }
  }
  const task = known.task ?? resumed?.task;
  if (task === undefined || !TASK_NAMES.includes(task)) {
    const problem = task === undefined ? 'is missing' : `must not be ${JSON.stringify(task)}`;
    throw new MambaError('INVALID_ARGUMENT', `task ${problem}: give one of ${TASK_NAMES.join(', ')}`);
  }
  const merged = { ...DEFAULTS[task], ...dropUndefined(resumed ?? {}), ...known, task };
  if ((task === 'text') !== (merged.data !== undefined)) {
    throw new MambaError(
      'INVALID_ARGUMENT',
      task === 'text'
        ? 'task text needs data: the file to learn'
        : `task ${task} makes its own data: leave data out`,
    );
  }
  checkOptionsOfOthers(merged);
  const lrIsNew = known.lr !== undefined && known.lr !== resumed?.lr;
  return {
    ...merged,
    clip: merged.clip === Infinity ? 0 : merged.clip,
    warmup: known.warmup ?? Math.min(merged.warmup, merged.steps),
    minLr: known.minLr ?? (lrIsNew ? undefined : resumed?.minLr) ?? merged.lr / 10,
    evalLength: merged.evalLength ?? merged.length,
  };
}

/** An option that the run would not read is a mistake of who gave it. */
function checkOptionsOfOthers(
  settings: Partial<TrainSettings> & Pick<TrainSettings, 'task' | 'mixer'>,
): void {
  const { task, mixer } = settings;
  const copies = task === 'copying' || task === 'selective-copying';
  for (const [key, good, of] of [
    ['minLength', task !== 'text', 'tasks other than text'],
    ['symbols', task === 'induction-heads', 'induction-heads'],
    ['vocabSize', copies, 'copying and selective-copying'],
    ['tokens', copies, 'copying and selective-copying'],
    ['heads', mixer === 'attention', 'the mixer attention'],
  ] as const) {
    if (settings[key] !== undefined && !good) {
      throw new MambaError('INVALID_ARGUMENT', `${key} is an option of ${of}: leave it out`);
    }
  }
  if (mixer === 'attention' && Object.keys(settings.model ?? {}).length > 0) {
    throw new MambaError(
      'INVALID_ARGUMENT',
      `the mixer attention has no ${Object.keys(settings.model!).join(', ')}: leave it out`,
    );
  }
}

function dropUndefined<T extends object>(object: T): Partial<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Partial<T>;
}
