import type { TrainSettings } from '../settings.js';
import type { Chance } from '../tasks/task.js';
import type { ExperimentName } from './definitions.js';
import { lineChart, type Point } from './plot.js';

export interface TestFigures {
  length: number;
  sequences: number;
  loss: number;
  tokenAccuracy: number;
  sequenceAccuracy: number;
}

export interface ExperimentRun {
  seed: number;
  steps: number;
  /** The step of lowest validation loss: the model that is tested. */
  bestStep: number;
  /** What computed it. */
  backend: string;
  /** Validation at the training length, on other sequences than the tests'. */
  curve: { step: number; tokenAccuracy: number }[];
  tests: TestFigures[];
}

export interface ExperimentRowResult {
  name: string;
  label: string;
  parameters: number;
  settings: Omit<TrainSettings, 'seed'>;
  runs: ExperimentRun[];
}

/** The figures of an experiment: nothing in it depends on the clock, so that the same seeds give the same file. */
export interface ExperimentResult {
  experiment: ExperimentName;
  title: string;
  chance: Chance;
  testLengths: readonly number[];
  plot: 'length' | 'step';
  rows: ExperimentRowResult[];
}

/** Token accuracy by length in percent, mean over the seeds with the least and the greatest; sequences where a test has one length. */
export function markdownTable({ rows, testLengths, chance }: ExperimentResult): string {
  const oneLength = testLengths.length === 1;
  const columns = oneLength
    ? (['tokenAccuracy', 'sequenceAccuracy'] as const).map((measure) => ({
        heading: measure === 'tokenAccuracy' ? 'tokens right, %' : 'sequences right, %',
        measure,
        length: testLengths[0]!,
      }))
    : testLengths.map((length) => ({
        heading: lengthName(length),
        measure: 'tokenAccuracy' as const,
        length,
      }));
  const lines = [
    ['', 'parameters', 'seeds', ...columns.map(({ heading }) => heading)],
    ['---', '--:', '--:', ...columns.map(() => '--:')],
    ...rows.map(({ label, parameters, runs }) => [
      label,
      String(parameters),
      String(runs.length),
      ...columns.map(({ measure, length }) => {
        const found = runs.flatMap(({ tests }) => tests.filter((test) => test.length === length));
        return found.length === 0 ? '-' : spread(found.map((test) => 100 * test[measure]));
      }),
    ]),
    ['chance', '', '', ...columns.map(({ measure }) => decimals(100 * (chance[measure] ?? 0)))],
  ];
  return `${lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}\n`;
}

export function plotResult({ title, plot, rows, chance }: ExperimentResult): string {
  const byLength = plot === 'length';
  return lineChart({
    title,
    xLabel: byLength ? 'tokens of a test sequence' : 'training steps',
    yLabel: byLength ? 'accuracy, %' : 'validation tokens right, %',
    xScale: byLength ? 'log2' : 'linear',
    yMax: 100,
    series: rows.map(({ label, runs }) => ({
      label,
      points: meanPoints(
        runs.flatMap(({ tests, curve }) =>
          byLength
            ? tests.map(({ length, tokenAccuracy }) => ({ x: length, y: 100 * tokenAccuracy }))
            : curve.map(({ step, tokenAccuracy }) => ({ x: step, y: 100 * tokenAccuracy })),
        ),
      ),
    })),
    baseline: { y: 100 * chance.tokenAccuracy, label: 'chance' },
  });
}

/** One point for each x: mean, least and greatest. */
function meanPoints(all: readonly { x: number; y: number }[]): Point[] {
  const xs = [...new Set(all.map(({ x }) => x))].sort((a, b) => a - b);
  return xs.map((x) => {
    const ys = all.filter((point) => point.x === x).map(({ y }) => y);
    return { x, y: mean(ys), low: Math.min(...ys), high: Math.max(...ys) };
  });
}

function spread(values: readonly number[]): string {
  const [low, high] = [decimals(Math.min(...values)), decimals(Math.max(...values))];
  return low === high ? low : `${decimals(mean(values))} (${low}-${high})`;
}

/** To 0.1, downwards: 100.0 is said of nothing that made a mistake. */
function decimals(percent: number): string {
  const floored = Math.floor(10 * percent + 1e-9) / 10;
  return percent > 0 && floored === 0 ? percent.toExponential(0) : floored.toFixed(1);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function lengthName(length: number): string {
  const power = Math.log2(length);
  return Number.isInteger(power) ? `2^${power}` : String(length);
}
