import { describe, expect, test } from 'vitest';
import { describeOptions, type Options, parseOptions } from './options.js';

const options: Options = {
  name: { kind: 'text', help: 'a name', choices: ['a', 'b'] },
  steps: { kind: 'integer', help: 'how many', min: 1, fallback: 10 },
  rate: { kind: 'number', help: 'how fast', min: 0, max: 1 },
  out: { kind: 'text', help: 'where', value: 'DIR', short: 'o' },
  json: { kind: 'flag', help: 'JSON' },
};

describe('parseOptions', () => {
  test('reads each kind, and keeps digits given as text as text', () => {
    const values = parseOptions(
      ['--name', 'b', '--steps=3', '--rate', '0.5', '-o', '123', '--json'],
      options,
    );
    expect(values.text('name')).toBe('b');
    expect(values.number('steps')).toBe(3);
    expect(values.number('rate')).toBe(0.5);
    expect(values.text('out')).toBe('123');
    expect(values.flag('json')).toBe(true);
  });

  test('a value may begin with a dash', () => {
    const values = parseOptions(['--out', '-x', '--steps', '7'], options);
    expect(values.text('out')).toBe('-x');
    expect(() => parseOptions(['--rate', '-1'], options)).toThrow('--rate must be from 0 to 1; got -1');
  });

  test('absent: the fallback, undefined, or false', () => {
    const values = parseOptions([], options);
    expect(values.number('steps')).toBe(10);
    expect(values.text('name')).toBeUndefined();
    expect(values.flag('json')).toBe(false);
  });

  test.each([
    [['--steps', 'many'], /--steps must be a whole number; got "many"/],
    [['--steps', '1.5'], /--steps must be a whole number/],
    [['--steps', ''], /--steps must be a whole number/],
    [['--steps', '0'], /--steps must be at least 1; got 0/],
    [['--rate', '2'], /--rate must be from 0 to 1; got 2/],
    [['--rate', 'Infinity'], /--rate must be a number/],
    [['--name', 'c'], /--name must be one of a, b; got "c"/],
    [['--nonsense'], /nonsense/],
    [['--out'], /out/],
    [['stray'], /stray/],
  ])('%j is refused in one line', (argv, message) => {
    let error: unknown;
    try {
      parseOptions(argv, options);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringMatching(message) });
    expect((error as Error).message).not.toContain('\n');
  });

  test('a required option that is absent is named', () => {
    expect(() =>
      parseOptions([], { text: { kind: 'text', value: 'FILE', help: '', required: true } }),
    ).toThrow('--text FILE is required');
  });
});

test('describeOptions lists every option with its choices and fallback', () => {
  const text = describeOptions(options);
  expect(text.split('\n')).toHaveLength(5);
  expect(text).toContain('(a|b)');
  expect(text).toContain('[10]');
  expect(text).toContain('--out DIR');
  expect(describeOptions({ prompt: { kind: 'text', help: 'what', fallback: '\n' } })).toContain(
    'what ["\\n"]',
  );
});
