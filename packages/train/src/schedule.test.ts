import { describe, expect, it } from 'vitest';
import { checkSchedule, learningRate } from './schedule.js';

describe('learningRate', () => {
  it('warms up linearly, then stays', () => {
    const schedule = { kind: 'constant', lr: 8, warmup: 4, steps: 10 } as const;
    const rates = [1, 2, 3, 4, 5, 10, 99].map((step) => learningRate(schedule, step));
    expect(rates).toEqual([2, 4, 6, 8, 8, 8, 8]);
    expect(learningRate({ ...schedule, warmup: 0 }, 1)).toBe(8);
  });

  it('falls along half a cosine to minLr', () => {
    const schedule = { kind: 'cosine', lr: 1, warmup: 2, steps: 10, minLr: 0.2 } as const;
    expect(learningRate(schedule, 1)).toBe(0.5);
    expect(learningRate(schedule, 2)).toBe(1);
    expect(learningRate(schedule, 6)).toBeCloseTo(0.6, 12);
    expect(learningRate(schedule, 4)).toBeCloseTo(0.2 + 0.8 * Math.cos(Math.PI / 8) ** 2, 12);
    expect(learningRate(schedule, 10)).toBeCloseTo(0.2, 12);
    expect(learningRate(schedule, 1000)).toBeCloseTo(0.2, 12);
    expect(learningRate({ kind: 'cosine', lr: 1, warmup: 0, steps: 10 }, 10)).toBeCloseTo(0.1, 12);
    expect([9, 10, 11].map((step) => learningRate({ ...schedule, warmup: 10 }, step))).toEqual([0.9, 1, 1]);
  });

  it('refuses what makes no sense', () => {
    const good = { kind: 'cosine', lr: 1, warmup: 0, steps: 10 } as const;
    expect(() => checkSchedule(good)).not.toThrow();
    for (const [bad, message] of [
      [{ kind: 'step' as 'cosine' }, /constant or cosine, not step/],
      [{ lr: 0 }, /above 0, not 0/],
      [{ lr: Number.NaN }, /above 0, not NaN/],
      [{ minLr: 2 }, /minLr must be in \[0, lr = 1\], not 2/],
      [{ minLr: -1 }, /minLr/],
      [{ warmup: 11 }, /warm-up must be an integer in \[0, steps = 10\], not 11/],
      [{ warmup: 0.5 }, /warm-up/],
    ] as const) {
      expect(() => checkSchedule({ ...good, ...bad })).toThrow(message);
    }
  });
});
