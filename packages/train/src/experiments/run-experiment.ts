import { type Backend, MambaError, throwIfAborted } from '@mamba-ts/backend';
import { writeFileAtomic } from '@mamba-ts/checkpoint';
import { nodeModules } from '../node.js';
import { openModel, type RunModel } from '../run-folder.js';
import type { TrainSettings } from '../settings.js';
import { makeTask, type TrainResult, train } from '../train.js';
import {
  type Experiment,
  type ExperimentName,
  type ExperimentOverrides,
  type ExperimentRow,
  experiment,
} from './definitions.js';
import {
  type ExperimentResult,
  type ExperimentRowResult,
  type ExperimentRun,
  markdownTable,
  plotResult,
  type TestFigures,
} from './result.js';

export interface ExperimentOptions extends ExperimentOverrides {
  backend: Backend;
  name: ExperimentName;
  /** Folder of the experiment. */
  out: string;
  /** One run a row and seed. Default 1, 2, 3. */
  seeds?: readonly number[] | undefined;
  /** Names of the rows to run. Default all. */
  rows?: readonly string[] | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: ExperimentProgress) => void) | undefined;
}

export interface ExperimentProgress {
  row: string;
  seed: number;
  /** Of this run: training steps, or tokens tested. */
  phase: 'train' | 'test';
  done: number;
  total: number;
  /** Runs before this one, and all. */
  run: number;
  runs: number;
  /** The last training loss, or the accuracy of the last test. */
  value?: number | undefined;
}

/** Not the validation's sequences, by which the model is chosen. */
const TEST_SEED = 20260101;
const MIN_TEST_SEQUENCES = 4;
const MAX_TEST_SEQUENCES = 256;

/**
 * Trains and tests every row of an experiment with every seed, into a folder (Node only):
 *
 *     result.json, table.md, plot.svg   the figures; the same for the same seeds on the same backend
 *     times.json                        seconds of training and of testing, by run
 *     runs/s6-seed1/                    a run as `train` writes it, and test.json
 *
 * It may be killed at any moment and started again: what is finished is not done again. Rows or seeds may be run apart, into
 * the same folder or on several machines into folders that are then put together; the last call's rows and seeds are those
 * of the figures.
 *
 * @throws MambaError `INVALID_ARGUMENT` for an unknown experiment or row, and for settings that are not those of the runs
 * that the folder holds; `ABORTED`; `DIVERGED`; `IO`
 */
export async function runExperiment(options: ExperimentOptions): Promise<ExperimentResult> {
  const { backend, name, out, seeds = [1, 2, 3], rows: wanted, signal, onProgress, ...overrides } = options;
  const plan = experiment(name, overrides);
  const rows = chooseRows(plan, wanted);
  if (seeds.length === 0 || new Set(seeds).size < seeds.length) {
    throw new MambaError('INVALID_ARGUMENT', `seeds must be different numbers, not [${seeds.join(', ')}]`);
  }
  const { path } = nodeModules();
  const results = new Map<string, ExperimentRowResult>();
  const times: Record<string, { trainSeconds: number; testSeconds: number }> = {};
  let chance: TrainResult['chance'] | undefined;
  const runs = rows.length * seeds.length;
  let run = 0;
  // Seed by seed, so that every row has a figure early.
  for (const seed of seeds) {
    for (const row of rows) {
      const folder = path.join(out, 'runs', `${row.name}-seed${seed}`);
      const report = (progress: Pick<ExperimentProgress, 'phase' | 'done' | 'total' | 'value'>) =>
        onProgress?.({ row: row.name, seed, run, runs, ...progress });
      let parameters = 0;
      const trained = await train({
        ...plan.settings,
        ...row.settings,
        seed,
        backend,
        out: folder,
        resume: true,
        signal,
        onStart: (start) => {
          parameters = start.parameters;
        },
        onStep: ({ step, loss }) =>
          report({ phase: 'train', done: step, total: plan.settings.steps!, value: loss }),
      });
      if (trained.aborted) throwIfAborted(signal, 'the experiment');
      const tested = await testRun(plan, row, trained, { backend, folder, signal, report });
      times[`${row.name}-seed${seed}`] = { trainSeconds: trained.elapsed, testSeconds: tested.seconds };
      chance = trained.chance;
      const { seed: _, ...settings } = trained.settings;
      const result = results.get(row.name) ?? {
        name: row.name,
        label: row.label,
        parameters,
        settings,
        runs: [],
      };
      result.runs.push({
        seed,
        steps: trained.step,
        bestStep: tested.step,
        backend: tested.backend,
        curve: await readCurve(folder),
        tests: tested.tests,
      });
      results.set(row.name, result);
      run++;
    }
  }
  const result: ExperimentResult = {
    experiment: name,
    title: plan.title,
    chance: chance!,
    testLengths: plan.testLengths,
    plot: plan.plot,
    rows: [...results.values()],
  };
  const write = (file: string, content: string) => writeFileAtomic(path.join(out, file), content);
  await write('result.json', `${JSON.stringify(result, null, 2)}\n`);
  await write('times.json', `${JSON.stringify(times, null, 2)}\n`);
  await write('table.md', markdownTable(result));
  await write('plot.svg', plotResult(result));
  return result;
}

function chooseRows(plan: Experiment, wanted: readonly string[] | undefined): ExperimentRow[] {
  const unknown = wanted?.find((name) => !plan.rows.some((row) => row.name === name));
  if (unknown !== undefined) {
    const names = plan.rows.map(({ name }) => name).join(', ');
    throw new MambaError('INVALID_ARGUMENT', `${plan.name} has no row "${unknown}"; there are ${names}`);
  }
  return plan.rows.filter(({ name }) => wanted?.includes(name) ?? true);
}

interface TestFile {
  /** Of the model that was tested. */
  step: number;
  /** What tested it last; a run goes on where it was trained, but folders may be put together from several machines. */
  backend: string;
  seconds: number;
  tests: TestFigures[];
}

interface TestContext {
  backend: Backend;
  folder: string;
  signal: AbortSignal | undefined;
  report(progress: Pick<ExperimentProgress, 'phase' | 'done' | 'total' | 'value'>): void;
}

/** Tests the best model of a run at every length; each length that is done is kept. */
async function testRun(
  plan: Experiment,
  { maxLength = Number.POSITIVE_INFINITY }: ExperimentRow,
  { best, settings }: TrainResult,
  { backend, folder, signal, report }: TestContext,
): Promise<TestFile> {
  const { path } = nodeModules();
  const file = path.join(folder, 'test.json');
  const step = best!.step;
  const before = await readTests(file, step, backend);
  const lengths = plan.testLengths.filter((length) => length <= maxLength);
  const total = lengths.reduce((sum, length) => sum + length * sequencesOf(plan, length), 0);
  const tests: TestFigures[] = [];
  let { seconds, backend: by } = before;
  let done = 0;
  let model: RunModel | undefined;
  try {
    for (const length of lengths) {
      const sequences = sequencesOf(plan, length);
      const known = before.tests.find((test) => test.length === length && test.sequences === sequences);
      const begin = performance.now();
      let figures = known;
      if (!figures) {
        model ??= await openModel(folder, settings.mixer, backend);
        figures = await testAt(model, settings, { length, sequences, signal });
        seconds += (performance.now() - begin) / 1000;
        by = backend.description;
      }
      tests.push(figures);
      done += length * sequences;
      if (!known) {
        await writeFileAtomic(file, `${JSON.stringify({ step, backend: by, seconds, tests }, null, 2)}\n`);
        report({ phase: 'test', done, total, value: figures.tokenAccuracy });
      }
    }
  } finally {
    model?.dispose();
  }
  return { step, backend: by, seconds, tests };
}

function sequencesOf({ testTokens }: Experiment, length: number): number {
  return Math.max(MIN_TEST_SEQUENCES, Math.min(MAX_TEST_SEQUENCES, Math.floor(testTokens / length)));
}

async function testAt(
  model: RunModel,
  settings: TrainSettings,
  { length, sequences, signal }: { length: number; sequences: number; signal: AbortSignal | undefined },
): Promise<TestFigures> {
  const task = makeTask(settings, { evalLength: length, evalSequences: sequences, evalSeed: TEST_SEED });
  const { loss, tokenAccuracy, sequenceAccuracy } = await task.evaluate(model, { signal });
  return { length, sequences, loss, tokenAccuracy, sequenceAccuracy };
}

async function readTests(file: string, step: number, { description }: Backend): Promise<TestFile> {
  const content = await nodeModules()
    .fs.readFile(file, 'utf8')
    .catch(() => undefined);
  const found = content === undefined ? undefined : (JSON.parse(content) as TestFile);
  // A run that went on has another best model.
  return found?.step === step ? found : { step, backend: description, seconds: 0, tests: [] };
}

async function readCurve(folder: string): Promise<ExperimentRun['curve']> {
  const { fs, path } = nodeModules();
  const content = await fs.readFile(path.join(folder, 'metrics.jsonl'), 'utf8');
  return content
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { step: number; tokenAccuracy?: number })
    .flatMap(({ step, tokenAccuracy }) => (tokenAccuracy === undefined ? [] : [{ step, tokenAccuracy }]));
}
