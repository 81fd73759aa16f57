import { describe, expect, it } from 'vitest';
import { resolveSettings } from '../settings.js';
import { type ExperimentResult, markdownTable, plotResult } from './result.js';

const test = (length: number, tokenAccuracy: number, sequenceAccuracy = tokenAccuracy) => ({
  length,
  sequences: 4,
  loss: 0,
  tokenAccuracy,
  sequenceAccuracy,
});
const row = (name: string, ...runs: ReturnType<typeof test>[][]) => ({
  name,
  label: name.toUpperCase(),
  parameters: 66560,
  settings: resolveSettings({ task: 'induction-heads' }, undefined),
  runs: runs.map((tests, i) => ({
    seed: i + 1,
    steps: 10,
    bestStep: 10,
    backend: 'cpu',
    curve: [{ step: 10, tokenAccuracy: 0.5 }],
    tests,
  })),
});
const result = (testLengths: number[], ...rows: ReturnType<typeof row>[]): ExperimentResult => ({
  experiment: 'induction-heads',
  title: 'Title',
  chance: { loss: 2, tokenAccuracy: 1 / 16, sequenceAccuracy: 1 / 16 },
  testLengths,
  plot: 'length',
  rows,
});
const cells = (table: string) =>
  table
    .trim()
    .split('\n')
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );

describe('markdownTable', () => {
  it('has a column a length: mean, least and greatest over the seeds', () => {
    const table = markdownTable(
      result(
        [64, 100],
        row('s6', [test(64, 1), test(100, 0.9996)], [test(64, 1), test(100, 0.5)]),
        row('attention', [test(64, 0.25)]),
      ),
    );
    expect(cells(table)).toEqual([
      ['', 'parameters', 'seeds', '2^6', '100'],
      ['---', '--:', '--:', '--:', '--:'],
      ['S6', '66560', '2', '100.0', '74.9 (50.0-99.9)'],
      ['ATTENTION', '66560', '1', '25.0', '-'],
      ['chance', '', '', '6.2', '6.2'],
    ]);
  });

  it('says how many whole sequences are right where a test has one length', () => {
    const { chance, ...rest } = result([256], row('s6', [test(256, 0.99, 0.5)]));
    const table = markdownTable({ ...rest, chance: { ...chance, sequenceAccuracy: 14 ** -16 } });
    expect(cells(table)[0]!.slice(3)).toEqual(['tokens right, %', 'sequences right, %']);
    expect(cells(table)[2]!.slice(3)).toEqual(['99.0', '50.0']);
    expect(cells(table)[3]!.slice(3)).toEqual(['6.2', '5e-17']);
  });
});

describe('plotResult', () => {
  it('shows accuracy by length, or by step', () => {
    const figures = result([64, 128], row('s6', [test(64, 1), test(128, 0.5)]));
    expect(plotResult(figures)).toContain('tokens of a test sequence');
    expect(plotResult({ ...figures, plot: 'step' })).toContain('training steps');
  });
});
