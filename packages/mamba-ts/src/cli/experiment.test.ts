import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { main } from './main.js';

const folder = mkdtempSync(join(tmpdir(), 'mamba-ts-experiment-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function run(...argv: string[]) {
  let out = '';
  let notes = '';
  const code = await main(argv, {
    out: (piece) => {
      out += piece;
    },
    note: (piece) => {
      notes += piece;
    },
    isTerminal: false,
    signal: new AbortController().signal,
  });
  return { code, out, notes };
}

const TINY = [
  '--backend',
  'cpu',
  '--quick',
  '--steps',
  '2',
  '--d-model',
  '4',
  '--seeds',
  '7',
  '--test-tokens',
  '64',
];

describe('experiment', () => {
  test.each(['selective-copying', 'copying', 'ablation'])('%s runs, and leaves its figures', async (name) => {
    const out = join(folder, name);
    const {
      code,
      out: printed,
      notes,
    } = await run('experiment', name, '--out', out, '--length', '40', ...TINY);
    expect(code, notes).toBe(0);
    expect(printed).toContain('| chance |');
    expect(readFileSync(join(out, 'table.md'), 'utf8')).toContain('tokens right, %');
    expect(readdirSync(join(out, 'runs')).every((run) => run.endsWith('-seed7'))).toBe(true);
  });

  test('induction-heads: some rows, JSON', async () => {
    const out = join(folder, 'induction');
    const argv = [
      'experiment',
      'induction-heads',
      '--rows',
      's4d,s6',
      '--max-test-length',
      '64',
      '--json',
      ...TINY,
    ];
    const { code, out: printed } = await run(...argv, '--length', '12', '--out', out);
    expect(code).toBe(0);
    const result = JSON.parse(printed);
    expect(result.rows.map(({ name }: { name: string }) => name)).toEqual(['s6', 's4d']);
    expect(result.rows[0].runs[0]).toMatchObject({
      seed: 7,
      steps: 2,
      tests: [{ length: 64, sequences: 4 }],
    });
    expect(JSON.parse(readFileSync(join(out, 'result.json'), 'utf8'))).toEqual(result);
  });

  test.each([
    [['experiment'], /--name TEXT is required|--name .*is required/],
    [['experiment', 'sorting', '--out', 'x'], /--name must be one of induction-heads, selective-copying/],
    [['experiment', 'copying'], /--out DIR is required/],
    [['experiment', 'copying', '--out', 'x', '--seeds', '1,two'], /--seeds must be whole numbers/],
    [['experiment', 'copying', '--out', 'x', '--rows', 's5', '--backend', 'cpu'], /no row "s5"/],
  ])('%j: one line and code 2', async (argv, message) => {
    const { code, notes } = await run(...argv);
    expect(code).toBe(2);
    expect(notes).toMatch(message);
    expect(notes.trim().split('\n')).toHaveLength(1);
  });
});

describe('train', () => {
  const tiny = [
    '--backend',
    'cpu',
    '--batch',
    '1',
    '--length',
    '12',
    '--d-model',
    '4',
    '--layers',
    '1',
    '--eval-size',
    '2',
  ];
  const settings = (out: string) => JSON.parse(readFileSync(join(out, 'options.json'), 'utf8'));

  test('mixer and task by flag; a run that is resumed knows its own', async () => {
    const out = join(folder, 'flags');
    const flags = [
      '--task',
      'copying',
      '--vocab',
      '8',
      '--tokens',
      '4',
      '--min-length',
      '8',
      '--eval-length',
      '20',
    ];
    const mixer = ['--selective', 'delta,C', '--complex', '--d-state', '4', '--no-gate'];
    expect(await run('train', ...flags, ...mixer, ...tiny, '--steps', '1', '--out', out)).toMatchObject({
      code: 0,
    });
    expect(settings(out)).toMatchObject({
      task: 'copying',
      vocabSize: 8,
      tokens: 4,
      minLength: 8,
      evalLength: 20,
      model: { selective: { delta: true, B: false, C: true }, complexA: true, dState: 4, gate: false },
    });
    const resumed = await run('train', '--resume', '--steps', '2', '--backend', 'cpu', '--out', out);
    expect(resumed).toMatchObject({ code: 0, notes: '' });
    expect(settings(out)).toMatchObject({ task: 'copying', steps: 2 });
  });

  test('the attention baseline', async () => {
    const out = join(folder, 'attention');
    const flags = ['--task', 'induction-heads', '--symbols', '4', '--mixer', 'attention', '--heads', '2'];
    expect(await run('train', ...flags, ...tiny, '--steps', '1', '--out', out)).toMatchObject({ code: 0 });
    expect(settings(out)).toMatchObject({ mixer: 'attention', heads: 2, symbols: 4 });
  });

  test.each([
    [['--selective', 'delta,D'], /--selective must be all, none, or some of delta,B,C; got "D"/],
    [['--mixer', 's4d', '--selective', 'all'], /selective/],
    [['--mixer', 'lstm'], /--mixer must be one of s6, s4d, attention/],
    [['--tokens', '4'], /tokens is an option of copying/],
  ])('%j is refused in one line', async (flags, message) => {
    const { code, notes } = await run(
      'train',
      '--task',
      'induction-heads',
      ...tiny,
      ...flags,
      '--out',
      join(folder, 'x'),
    );
    expect(code).toBe(2);
    expect(notes).toMatch(message);
    expect(notes.trim().split('\n')).toHaveLength(1);
  });
});
