import { type Backend, MambaError, type Tensor } from '@mamba-ts/backend';
import { openCheckpoint, writeFileAtomic, writeSafetensors } from '@mamba-ts/checkpoint';
import { MambaLM } from '@mamba-ts/model';
import type { AdamW } from './adamw.js';
import { AttentionLM } from './attention/attention-lm.js';
import { MetricsFile } from './metrics-file.js';
import { nodeModules } from './node.js';
import type { EvaluationMetrics, RunState, RunStore, StepMetrics } from './run.js';
import type { TrainSettings } from './settings.js';
import type { Trainable } from './trainable.js';
import type { Trainer } from './trainer.js';

const FORMAT = 1;
const CHECKPOINT = /^step-(\d{8,})$/;

/** A model that a run can keep. */
export interface RunModel extends Trainable {
  save(folder: string): Promise<void>;
  dispose(): void;
}

/**
 * The model in a folder that `train` wrote: a checkpoint, or the run's own folder, whose model is the best by validation.
 * @throws MambaError `IO`, `CHECKPOINT_FORMAT`
 */
export function openModel(
  folder: string,
  mixer: TrainSettings['mixer'],
  backend: Backend,
): Promise<RunModel> {
  return mixer === 'attention'
    ? AttentionLM.fromFolder(folder, { backend })
    : MambaLM.fromPretrained(folder, { backend });
}

/**
 * A run in a folder (Node only):
 *
 *     options.json                     what the run was started with
 *     metrics.jsonl                    a line a step, a line an evaluation
 *     config.json, model.safetensors   the best model by validation
 *     checkpoints/step-00000100/       everything to go on from step 100; config.json and model.safetensors make it a model
 *
 * A checkpoint is written into a folder of another name and then renamed, so it is there whole or not at all.
 */
export class RunFolder {
  readonly path: string;
  readonly #keep: number;

  /**
   * Touches nothing yet.
   * @param keep how many checkpoints to keep
   * @throws MambaError `INVALID_ARGUMENT`
   */
  constructor(path: string, keep: number) {
    if (!Number.isInteger(keep) || keep < 1) {
      throw new MambaError('INVALID_ARGUMENT', `keep must be an integer of at least 1, not ${keep}`);
    }
    this.path = path;
    this.#keep = keep;
  }

  /** Makes the folder if it is missing, and clears away what a killed run left half written. */
  async prepare(): Promise<void> {
    const { fs, path: paths } = nodeModules();
    try {
      await fs.mkdir(this.#checkpoints, { recursive: true });
    } catch (cause) {
      const details = { path: this.path };
      throw new MambaError('IO', `${this.path}: cannot make the folder of the run`, { cause, details });
    }
    for (const name of await fs.readdir(this.#checkpoints)) {
      if (name.startsWith('.step-')) await fs.rm(paths.join(this.#checkpoints, name), { recursive: true });
    }
  }

  get #checkpoints(): string {
    return nodeModules().path.join(this.path, 'checkpoints');
  }

  /** What `writeOptions` wrote, if it ever did. */
  async readOptions(): Promise<Record<string, unknown> | undefined> {
    const { fs, path: paths } = nodeModules();
    const path = paths.join(this.path, 'options.json');
    const content = await fs.readFile(path, 'utf8').catch(() => undefined);
    return content === undefined ? undefined : readJson(path, content);
  }

  async writeOptions(options: object): Promise<void> {
    const { path: paths } = nodeModules();
    await writeFileAtomic(paths.join(this.path, 'options.json'), `${JSON.stringify(options, null, 2)}\n`);
  }

  /** The folder of the newest checkpoint. */
  async latest(): Promise<string | undefined> {
    const newest = (await this.#list()).at(-1);
    return newest && nodeModules().path.join(this.#checkpoints, newest);
  }

  /**
   * Opens the run for writing: cuts the metrics to what `from` knows of.
   * @returns the store, and what closes it
   */
  async store(
    trainer: Trainer<RunModel>,
    from: RunState | undefined,
  ): Promise<RunStore & { close(): Promise<void> }> {
    const { path: paths } = nodeModules();
    const metrics = await MetricsFile.open(
      paths.join(this.path, 'metrics.jsonl'),
      (line) =>
        (line['step'] as number) <=
        ((line['validationLoss'] === undefined ? from?.step : from?.evaluated) ?? 0),
    );
    return {
      log: (line: StepMetrics | EvaluationMetrics) => metrics.append(line),
      saveBest: () => trainer.model.save(this.path),
      save: async (state) => {
        await metrics.sync();
        await this.#save(trainer, state);
      },
      close: () => metrics.close(),
    };
  }

  async #save(trainer: Trainer<RunModel>, state: RunState): Promise<void> {
    const { fs, path: paths } = nodeModules();
    const name = `step-${String(state.step).padStart(8, '0')}`;
    const unfinished = paths.join(this.#checkpoints, `.${name}`);
    await fs.mkdir(unfinished);
    await trainer.model.save(unfinished);
    await writeSafetensors(paths.join(unfinished, 'optimizer.safetensors'), momentTensors(trainer.optimiser));
    await writeFileAtomic(
      paths.join(unfinished, 'state.json'),
      `${JSON.stringify({ format: FORMAT, ...state })}\n`,
    );
    await fs.rename(unfinished, paths.join(this.#checkpoints, name));
    for (const old of (await this.#list()).slice(0, -this.#keep)) {
      // Renamed first: deleting takes several steps, and what is half deleted must not look like a checkpoint.
      const doomed = paths.join(this.#checkpoints, `.${old}`);
      await fs.rename(paths.join(this.#checkpoints, old), doomed);
      await fs.rm(doomed, { recursive: true });
    }
  }

  /** Names of the checkpoints, oldest first. */
  async #list(): Promise<string[]> {
    const step = (name: string) => Number(CHECKPOINT.exec(name)?.[1]);
    const names = await nodeModules()
      .fs.readdir(this.#checkpoints)
      .catch(() => [] as string[]);
    return names.filter((name) => CHECKPOINT.test(name)).sort((a, b) => step(a) - step(b));
  }
}

/** Reads the state of a checkpoint. */
export async function readState(checkpoint: string): Promise<RunState> {
  const { fs, path: paths } = nodeModules();
  const path = paths.join(checkpoint, 'state.json');
  const content = await fs.readFile(path, 'utf8').catch((cause) => {
    throw new MambaError('IO', `${path}: cannot be read`, { cause, details: { path } });
  });
  const { format, ...state } = readJson(path, content);
  if (format !== FORMAT) {
    throw new MambaError(
      'CHECKPOINT_FORMAT',
      `${path}: format ${String(format)}, but this version reads ${FORMAT}: resume with the version that wrote it`,
    );
  }
  const { step, random, evaluated, elapsed } = state;
  if (![step, evaluated, elapsed].every(Number.isFinite) || !Array.isArray(random)) {
    throw new MambaError('CHECKPOINT_FORMAT', `${path}: step, random, evaluated or elapsed is missing`);
  }
  return state as unknown as RunState;
}

/** Reads the optimiser's moments of a checkpoint back into it. */
export async function restoreMoments(checkpoint: string, optimiser: AdamW, backend: Backend): Promise<void> {
  const path = nodeModules().path.join(checkpoint, 'optimizer.safetensors');
  const file = await openCheckpoint(path);
  const moments = new Map<string, { m: Tensor; v: Tensor }>();
  for (const [name, { m: old }] of optimiser.moments) {
    const read = async (moment: 'm' | 'v') => {
      const { data, shape } = await file.read(`${moment}.${name}`);
      if (String(shape) !== String(old.shape)) {
        throw new MambaError(
          'CHECKPOINT_FORMAT',
          `${path}: ${moment}.${name} is [${shape}], not [${old.shape}]`,
        );
      }
      return backend.tensor(data as Float32Array, shape, old.dtype);
    };
    moments.set(name, { m: await read('m'), v: await read('v') });
  }
  optimiser.restore(moments);
}

function* momentTensors({ moments }: AdamW) {
  for (const [name, pair] of moments) {
    for (const moment of ['m', 'v'] as const) {
      const { shape, dtype } = pair[moment];
      yield [
        `${moment}.${name}`,
        { dtype: dtype as 'f32' | 'f64', shape, data: () => pair[moment].data() },
      ] as const;
    }
  }
}

function readJson(path: string, content: string): Record<string, unknown> {
  try {
    return JSON.parse(content) as Record<string, unknown>;
  } catch (cause) {
    throw new MambaError('CHECKPOINT_FORMAT', `${path}: not JSON`, { cause, details: { path } });
  }
}
