import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { medianAgainstLimit, medianSeconds } from './timing.js';

test('the limit is the work at the mean of the rates before and after each piece', async () => {
  const rates = [1, 3, 5];
  let asked = 0;
  let ran = 0;
  const { limit, seconds } = await medianAgainstLimit(
    { runs: 1, pieces: 2, work: 12 },
    async () => rates[asked++],
    async () => {
      ran++;
      await sleep(5);
    },
  );
  expect(limit).toBe(12 / 2 + 12 / 4);
  expect(asked).toBe(3);
  // Those that are not counted warm up.
  expect(ran).toBeGreaterThan(2);
  expect(seconds).toBeGreaterThan(0.005);
});

test('the run with the median share counts, not the fastest', async () => {
  // The limit of each run: 100, 1 and 10 seconds, for runs that take about as long.
  const rates = [1, 1, 100, 100, 10, 10];
  let asked = 0;
  const { limit } = await medianAgainstLimit(
    { runs: 3, pieces: 1, work: 100 },
    async () => rates[asked++],
    () => sleep(20).then(() => {}),
  );
  expect(limit).toBe(10);
});

test('without a limit there is none, and the median run counts', async () => {
  const timing = await medianAgainstLimit({ runs: 3, pieces: 1, work: 1 }, undefined, () =>
    sleep(2).then(() => {}),
  );
  expect(timing.limit).toBeUndefined();
  expect(timing.seconds).toBeGreaterThan(0);
  expect(await medianSeconds(3, () => {})).toBeLessThan(1);
});
