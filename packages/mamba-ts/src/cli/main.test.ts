import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { main } from './main.js';

const folder = mkdtempSync(join(tmpdir(), 'mamba-ts-cli-'));
const model = join(folder, 'model');
const text = join(folder, 'text.txt');

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

const TINY = ['--backend', 'cpu', '--batch', '2', '--length', '16', '--d-model', '16', '--layers', '1'];

beforeAll(async () => {
  writeFileSync(text, 'the quick brown fox jumps over the lazy dog. '.repeat(40));
  const argv = ['train', '--data', text, '--out', model, '--steps', '4', '--save-every', '2', ...TINY];
  const { code, notes } = await run(...argv);
  expect([code, notes]).toEqual([0, '']);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('what people type', () => {
  test('no verb: usage and code 2; --help: usage and code 0', async () => {
    expect(await run()).toMatchObject({ code: 2, out: expect.stringContaining('Usage: mamba-ts VERB') });
    expect(await run('--help')).toMatchObject({ code: 0, out: expect.stringContaining('generate') });
  });

  test('--version: the version of the package', async () => {
    const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
    expect(await run('--version')).toEqual({ code: 0, out: `${JSON.parse(manifest).version}\n`, notes: '' });
  });

  test.each(['demo', 'generate', 'train', 'eval', 'bench', 'inspect', 'doctor'])(
    '%s --help lists its options',
    async (verb) => {
      const { code, out } = await run(verb, '--help');
      expect(code).toBe(0);
      expect(out).toContain('--json');
      expect(out).toContain('--backend');
      expect(out).toContain(`Example: mamba-ts ${verb}`);
    },
  );

  test.each([
    [['fly'], /no verb "fly"/],
    [['generate', '--model', join(folder, 'absent')], /absent/],
    [['generate', '--backend', 'abacus'], /--backend must be one of/],
    [['generate', '--temperature', '-1'], /--temperature must be at least 0/],
    [['generate', '--top-p', '2'], /--top-p must be from 0 to 1/],
    [
      ['generate', '--prompt', '', '--model', model, '--backend', 'cpu'],
      /^mamba-ts generate: prompt 0 is empty/,
    ],
    [['generate', '--load-state', folder, '--model', model, '--backend', 'cpu'], /a folder, not a file/],
    [['eval'], /--text FILE is required/],
    [['eval', '--model', model, '--text', join(folder, 'absent')], /absent: no such file/],
    [['train', '--out', model, '--data', text, ...TINY], /already holds a run/],
    [['train', '--out', join(folder, 'x'), '--data', join(folder, 'absent'), ...TINY], /absent/],
    [['train', '--out', join(folder, 'x'), ...TINY], /task text needs data/],
    [['inspect', '--model', text], /text\.txt/],
  ])('%j: one line and code 2', async (argv, message) => {
    const { code, notes } = await run(...argv);
    expect(code).toBe(2);
    expect(notes).toMatch(message);
    expect(notes.trim().split('\n')).toHaveLength(1);
  });
});

describe('on a model', () => {
  const use = ['--model', model, '--backend', 'cpu'];

  test('generate: the same seed gives the same text, and --json its figures', async () => {
    const argv = ['generate', ...use, '--max-tokens', '12', '--seed', '5', '--prompt', 'the'];
    const plain = await run(...argv);
    const json = JSON.parse((await run(...argv, '--json')).out);
    expect(plain.code).toBe(0);
    expect(json).toEqual({
      text: plain.out,
      tokens: 12,
      tokensPerSecond: expect.any(Number),
      // One layer: 3 inputs and 16 states of each of 32 channels, f32.
      stateBytes: 32 * (3 + 16) * 4,
      backend: 'cpu',
    });
  });

  test('generate: a saved state goes on as if there had been no break', async () => {
    const greedy = ['generate', ...use, '--temperature', '0', '--json'];
    const state = join(folder, 'state.bin');
    await run(...greedy, '--prompt', 'the q', '--max-tokens', '1', '--save-state', state);
    const first = JSON.parse((await run(...greedy, '--prompt', 'the q', '--max-tokens', '1')).out);
    // The saved state has read the prompt and the token that was generated.
    const rest = await run(...greedy, '--load-state', state, '--prompt', 'uick', '--max-tokens', '16');
    const again = await run(...greedy, '--prompt', `the q${first.text}uick`, '--max-tokens', '16');
    expect(JSON.parse(rest.out).text).toBe(JSON.parse(again.out).text);
  });

  test('generate: a state of nonsense is refused', async () => {
    const { code, notes } = await run('generate', ...use, '--load-state', text);
    expect(code).toBe(2);
    expect(notes.trim().split('\n')).toHaveLength(1);
  });

  test('eval agrees with itself: bits, nats and perplexity', async () => {
    const { out } = await run('eval', ...use, '--text', text, '--json');
    const result = JSON.parse(out);
    expect(result.bytes).toBe(readFileSync(text).length);
    expect(result.tokens).toBe(result.bytes - 1);
    expect(result.bitsPerByte).toBeCloseTo(result.natsPerByte / Math.LN2, 12);
    expect(result.perplexity).toBeCloseTo(Math.exp(result.natsPerToken), 9);
    expect(result.natsPerToken).toBeLessThan(Math.log(256));
  });

  test('inspect counts what the model has', async () => {
    const { out } = await run('inspect', '--model', model, '--json');
    const { parameters, config, tensors } = JSON.parse(out);
    expect(config).toMatchObject({ dModel: 16, nLayer: 1, tokenizer: 'bytes' });
    const sizes = tensors.map(({ shape }: { shape: number[] }) => shape.reduce((a, b) => a * b, 1));
    expect(sizes.reduce((a: number, b: number) => a + b, 0)).toBe(parameters);
    expect((await run('inspect', '--model', model)).out).toContain('backbone.layers.0.mixer.A_log');
  });

  test('demo says what it cost', async () => {
    const { out } = await run('demo', ...use, '--max-tokens', '8');
    expect(out).toContain('tokens/s');
    expect(out).toContain('state: 2.4 KiB');
    // A key and a value of 16 f32 in one layer, of 8 tokens.
    expect(out).toContain('1.0 KiB after these 8 tokens');
  });

  test('train --resume goes on where the run was', async () => {
    const { code, out } = await run(
      'train',
      '--out',
      model,
      '--resume',
      '--steps',
      '6',
      '--json',
      '--backend',
      'cpu',
    );
    const events = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(code).toBe(0);
    expect(events[0]).toMatchObject({ event: 'start', step: 4 });
    expect(events.filter(({ event }) => event === 'step').map(({ step }) => step)).toEqual([5, 6]);
  });
});

test('doctor names every backend and says why one is refused', async () => {
  const { backends, auto } = JSON.parse((await run('doctor', '--json')).out);
  expect(backends.map(({ name }: { name: string }) => name)).toEqual(['webgpu', 'wasm', 'cpu']);
  for (const { detail } of backends) expect(detail).not.toBe('');
  expect(backends.find(({ available }: { available: boolean }) => available).name).toBe(auto);
});

test('doctor --backend asks one backend', async () => {
  const { backends, auto } = JSON.parse((await run('doctor', '--json', '--backend', 'cpu')).out);
  expect(backends.map(({ name }: { name: string }) => name)).toEqual(['cpu']);
  expect(auto).toBe('cpu');
});

test('Ctrl-C: the built command saves, stops with code 130, and can be resumed', async () => {
  const out = join(folder, 'interrupted');
  const bin = fileURLToPath(new URL('../../dist/bin.js', import.meta.url));
  const child = spawn(process.execPath, [bin, 'train', '--data', text, '--out', out, '--json', ...TINY]);
  let printed = '';
  const code = await new Promise((resolve) => {
    child.stdout.on('data', (piece) => {
      printed += piece;
      // Once: a second Ctrl-C would not wait for the checkpoint.
      if (printed.includes('"step":3') && !child.killed) child.kill('SIGINT');
    });
    child.on('exit', resolve);
  });
  expect(code).toBe(130);
  const done = printed
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ event }) => event === 'step');
  const resumed = await run(
    'train',
    '--out',
    out,
    '--resume',
    '--steps',
    String(done.length + 1),
    '--json',
    '--backend',
    'cpu',
  );
  expect(resumed.code).toBe(0);
  expect(JSON.parse(resumed.out.split('\n')[0])).toMatchObject({ step: done.length });
});
