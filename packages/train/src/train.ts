import { type Backend, MambaError, throwIfAborted } from '@mamba-ts/backend';
import { MambaLM } from '@mamba-ts/model';
import { AttentionLM } from './attention/attention-lm.js';
import { nodeModules } from './node.js';
import { type EvaluationMetrics, type RunResult, runTraining, type StepMetrics } from './run.js';
import { openModel, RunFolder, type RunModel, readState, restoreMoments } from './run-folder.js';
import { resolveSettings, type TrainSettings } from './settings.js';
import { copying, selectiveCopying } from './tasks/copying.js';
import { inductionHeads } from './tasks/induction-heads.js';
import { type SyntheticSettings, syntheticTask } from './tasks/synthetic.js';
import type { Chance, Task } from './tasks/task.js';
import { textTask } from './tasks/text.js';
import { Trainer } from './trainer.js';

export interface TrainOptions extends Partial<TrainSettings> {
  backend: Backend;
  /** Folder of the run; see `RunFolder` for what is in it. */
  out: string;
  /**
   * Go on from the newest checkpoint in `out`, with what the run was started with where an option is not given now. A run
   * that was killed before its first checkpoint starts again; a folder without a run starts one.
   */
  resume?: boolean | undefined;
  /** Stops cleanly: a checkpoint is written and `train` returns. */
  signal?: AbortSignal | undefined;
  /** Called once, before the first step. */
  onStart?: ((start: TrainStart) => void) | undefined;
  onStep?: ((metrics: StepMetrics) => void | Promise<void>) | undefined;
  onEvaluation?: ((metrics: EvaluationMetrics) => void | Promise<void>) | undefined;
}

export interface TrainStart {
  settings: TrainSettings;
  /** Steps that were done before. */
  step: number;
  /** Trained numbers. */
  parameters: number;
  /** What a guesser gets. */
  chance: Chance;
}

export interface TrainResult extends RunResult {
  settings: TrainSettings;
  chance: Chance;
}

/**
 * Trains a model into a folder (Node only): the whole of `mamba-ts train` but its arguments. Afterwards the folder is the
 * best model by validation, for `MambaLM.fromPretrained`.
 *
 * The run may be killed at any moment; resumed on the same backend with the same options, it gives the same losses, digit
 * for digit, as one that never was.
 *
 * @throws MambaError `INVALID_ARGUMENT` for options that make no sense, a folder that already holds a run (without
 * `resume`), other data than the run was started with; `DIVERGED`; `IO`; `CHECKPOINT_FORMAT` for a spoiled checkpoint
 */
export async function train(options: TrainOptions): Promise<TrainResult> {
  const { backend, out, resume, signal, onStart, onStep, onEvaluation, ...given } = options;
  throwIfAborted(signal, 'train');
  const stored = await new RunFolder(out, 1).readOptions();
  if (!resume && (stored || (await new RunFolder(out, 1).latest()))) {
    throw new MambaError(
      'INVALID_ARGUMENT',
      `${out} already holds a run: resume it, or choose another folder`,
    );
  }
  const settings = resolveSettings(given, stored as Partial<TrainSettings> | undefined);
  if (settings.data !== undefined) settings.data = nodeModules().path.resolve(settings.data);
  const data = settings.data === undefined ? undefined : await readData(settings.data, stored);
  const task = makeTask(settings, {}, data?.bytes);

  const folder = new RunFolder(out, settings.keep);
  const checkpoint = await folder.latest();
  const model = await (checkpoint
    ? openModel(checkpoint, settings.mixer, backend)
    : createModel(settings, task, backend));
  try {
    const { lr, minLr, warmup, steps, schedule: kind, accumulate, weightDecay, clip } = settings;
    const trainer = new Trainer(model, task, {
      schedule: { kind, lr, minLr, warmup, steps },
      // Not the seed itself: the initial weights are drawn from that.
      seed: -1 - settings.seed,
      accumulate,
      weightDecay,
      clip: clip === 0 ? Infinity : clip,
    });
    try {
      const from = checkpoint === undefined ? undefined : await readState(checkpoint);
      if (checkpoint !== undefined && from) {
        trainer.restore(from);
        await restoreMoments(checkpoint, trainer.optimiser, backend);
      }
      await folder.prepare();
      await folder.writeOptions({ ...settings, ...(data && { dataSha256: data.sha256 }) });
      const store = await folder.store(trainer, from);
      try {
        let parameters = 0;
        for (const { shape } of model.parameters().values()) parameters += shape.reduce((a, b) => a * b, 1);
        onStart?.({ settings, step: trainer.step, parameters, chance: task.chance });
        const { evalEvery, saveEvery } = settings;
        const result = await runTraining(trainer, {
          steps,
          evalEvery,
          saveEvery,
          from,
          store,
          signal,
          onStep,
          onEvaluation,
        });
        return { ...result, settings, chance: task.chance };
      } finally {
        await store.close();
      }
    } finally {
      trainer.dispose();
    }
  } finally {
    model.dispose();
  }
}

async function readData(
  path: string,
  stored: Record<string, unknown> | undefined,
): Promise<{ bytes: Uint8Array; sha256: string }> {
  const { fs, crypto } = nodeModules();
  const bytes = await fs.readFile(path).catch((cause) => {
    throw new MambaError('IO', `${path}: the data cannot be read`, { cause, details: { path } });
  });
  const sha256 = crypto.createHash('sha256').update(bytes).digest('hex');
  const before = stored?.['dataSha256'];
  if (before !== undefined && before !== sha256) {
    throw new MambaError(
      'INVALID_ARGUMENT',
      `resume: ${path} is not what the run was started with (its SHA-256 differs): bring the old file back, or start another run`,
    );
  }
  return { bytes, sha256 };
}

/** The task of a run. `test` replaces what its settings say of the evaluation, and may choose other sequences. */
export function makeTask(
  settings: TrainSettings,
  test: Pick<SyntheticSettings, 'evalLength' | 'evalSequences' | 'evalSeed'> = {},
  data?: Uint8Array,
): Task {
  const { length, minLength, batch, evalSize, evalLength } = settings;
  const synthetic = { length, minLength, batch, evalLength, evalSequences: evalSize, ...test };
  switch (settings.task) {
    case 'text':
      return textTask(data!, { length, batch, evalBytes: evalSize });
    case 'copying':
      return syntheticTask(copying(settings), synthetic);
    case 'selective-copying':
      return syntheticTask(selectiveCopying(settings), synthetic);
    case 'induction-heads':
      return syntheticTask(inductionHeads(settings), synthetic);
  }
}

async function createModel(settings: TrainSettings, task: Task, backend: Backend): Promise<RunModel> {
  const { mixer, dModel, layers, heads, seed, model } = settings;
  const { vocabSize } = task;
  const sizes = { dModel, nLayer: layers };
  if (mixer === 'attention') return AttentionLM.create({ ...sizes, heads, vocabSize }, { backend, seed });
  const vocabulary =
    settings.task === 'text' ? { tokenizer: 'bytes' as const } : { vocabSize, padVocabSizeMultiple: 1 };
  return MambaLM.create({ ...sizes, mixer, ...vocabulary, ...model }, { backend, seed });
}
