import { describe, expect, it } from 'vitest';
import { resolveSettings, TASK_NAMES } from './settings.js';

describe('resolveSettings', () => {
  it('fills in the defaults of each task', () => {
    for (const task of TASK_NAMES) {
      const settings = resolveSettings(
        { task, ...(task === 'text' && { data: 'x.txt' }), lr: 0.5 },
        undefined,
      );
      expect(settings).toMatchObject({ task, lr: 0.5, minLr: 0.05, evalLength: settings.length, keep: 2 });
      expect(settings.weightDecay).toBe(task === 'text' ? 0.1 : 0);
    }
  });

  it('does not warm up for longer than it trains, unless told to', () => {
    expect(resolveSettings({ task: 'text', data: 'x', steps: 50 }, undefined).warmup).toBe(50);
    expect(resolveSettings({ task: 'text', data: 'x', steps: 50, warmup: 60 }, undefined).warmup).toBe(60);
  });

  it('takes what is not given from the run that is resumed', () => {
    const first = resolveSettings({ task: 'copying', dModel: 8, lr: 0.25, model: { dState: 4 } }, undefined);
    const stored = JSON.parse(JSON.stringify(first));
    expect(resolveSettings({}, stored)).toEqual(first);
    expect(resolveSettings({ dModel: undefined, steps: 99_999, lr: 0.1 }, stored)).toEqual({
      ...first,
      steps: 99_999,
      lr: 0.1,
      minLr: 0.1 / 10,
    });
    expect(resolveSettings({ lr: 0.25 }, { ...stored, minLr: 0.001 }).minLr).toBe(0.001);
    expect(() => resolveSettings({ task: 'copying', dModel: 8, model: { dState: 4 } }, stored)).not.toThrow();
  });

  it('keeps "never clip" through JSON', () => {
    const stored = resolveSettings({ task: 'copying', clip: Number.POSITIVE_INFINITY }, undefined);
    expect(stored.clip).toBe(0);
    expect(resolveSettings({}, JSON.parse(JSON.stringify(stored)))).toEqual(stored);
  });

  it('refuses to resume as another run', () => {
    const stored = resolveSettings({ task: 'copying' }, undefined);
    for (const [change, message] of [
      [{ task: 'induction-heads' }, /started with task "copying", not "induction-heads"/],
      [{ dModel: 8 }, /dModel 64, not 8/],
      [{ seed: 2 }, /seed/],
      [{ accumulate: 2 }, /accumulate/],
      [{ model: { dState: 8 } }, /model/],
    ] as const) {
      expect(() => resolveSettings(change, stored)).toThrow(message);
    }
  });

  it('refuses an unknown task, and data that is missing or not wanted', () => {
    expect(() => resolveSettings({}, undefined)).toThrow(/task is missing: give one of text, copying/);
    expect(() => resolveSettings({ task: 'sorting' as 'text' }, undefined)).toThrow(/must not be "sorting"/);
    expect(() => resolveSettings({ task: 'text' }, undefined)).toThrow(/needs data/);
    expect(() => resolveSettings({ task: 'copying', data: 'x' }, undefined)).toThrow(/makes its own data/);
  });

  it('refuses an option that the task or the mixer would not read', () => {
    for (const [given, message] of [
      [{ task: 'text', data: 'x', minLength: 8 }, /minLength is an option of tasks other than text/],
      [{ task: 'copying', symbols: 8 }, /symbols is an option of induction-heads/],
      [{ task: 'induction-heads', vocabSize: 8 }, /vocabSize is an option of copying and selective-copying/],
      [{ task: 'text', data: 'x', tokens: 8 }, /tokens is an option of copying/],
      [{ task: 'copying', heads: 2 }, /heads is an option of the mixer attention/],
      [{ task: 'copying', mixer: 'attention', model: { dState: 8 } }, /attention has no dState/],
    ] as const) {
      expect(() => resolveSettings(given, undefined)).toThrow(message);
    }
    const given = {
      task: 'copying',
      mixer: 'attention',
      heads: 2,
      vocabSize: 8,
      tokens: 4,
      minLength: 8,
    } as const;
    expect(resolveSettings(given, undefined)).toMatchObject(given);
  });
});
