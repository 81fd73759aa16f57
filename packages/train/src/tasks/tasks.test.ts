import { Random } from '@mamba-ts/ssm';
import { describe, expect, it } from 'vitest';
import { copying, selectiveCopying } from './copying.js';
import { inductionHeads } from './induction-heads.js';
import { type Synthetic, syntheticBatch, syntheticChance, syntheticTask } from './synthetic.js';
import { IGNORE } from './task.js';
import { splitText, textTask } from './text.js';

const code = (code: string) => expect.objectContaining({ code });
const range = (n: number) => Array.from({ length: n }, (_, i) => i);

function draw(task: Synthetic, length: number, count: number) {
  const { ids, targets } = syntheticBatch(task, new Random(7), length, count);
  expect(ids.length).toBe(count);
  expect([...ids, ...targets].every((row) => row.length === length)).toBe(true);
  expect(ids.flat().every((id) => Number.isInteger(id) && id >= 0 && id < task.vocabSize)).toBe(true);
  return ids.map((row, i) => ({ ids: row, targets: targets[i]! }));
}

/** How often each value occurs must fit a uniform draw: within five standard deviations. */
function expectUniform(values: number[], from: number, to: number): void {
  const expected = values.length / (to - from);
  for (const value of range(to - from).map((i) => i + from)) {
    const count = values.filter((x) => x === value).length;
    expect(Math.abs(count - expected), `${value} occurs ${count} times`).toBeLessThan(
      5 * Math.sqrt(expected),
    );
  }
  expect(Math.min(...values)).toBeGreaterThanOrEqual(from);
  expect(Math.max(...values)).toBeLessThan(to);
}

function expectShare(share: number, expected: number, draws: number): void {
  expect(Math.abs(share - expected)).toBeLessThan(5 * Math.sqrt((expected * (1 - expected)) / draws));
}

describe('inductionHeads', () => {
  it('asks for the token after the first S', () => {
    const places: number[] = [];
    const answers: number[] = [];
    for (const { ids, targets } of draw(inductionHeads(), 12, 1000)) {
      const first = ids.indexOf(16);
      expect(ids.filter((id) => id === 16).length).toBe(2);
      expect(ids.at(-1)).toBe(16);
      expect(targets.slice(0, -1).every((target) => target === IGNORE)).toBe(true);
      expect(targets.at(-1)).toBe(ids[first + 1]);
      places.push(first);
      answers.push(targets.at(-1)!);
    }
    expectUniform(places, 0, 10);
    expectUniform(answers, 0, 16);
  });

  it('has room in three tokens', () => {
    for (const { ids, targets } of draw(inductionHeads({ symbols: 4 }), 3, 20)) {
      expect(ids).toEqual([4, ids[1], 4]);
      expect(targets).toEqual([IGNORE, IGNORE, ids[1]]);
    }
  });

  it('refuses fewer than two symbols', () => {
    expect(() => inductionHeads({ symbols: 1 })).toThrow(code('INVALID_ARGUMENT'));
  });
});

describe('copying and selectiveCopying', () => {
  it('says the data again at the markers, in order', () => {
    for (const task of [copying(), selectiveCopying(), selectiveCopying({ vocabSize: 5, tokens: 3 })]) {
      const [A, M] = [task.vocabSize, task.answers];
      const data: number[] = [];
      for (const { ids, targets } of draw(task, 40, 300)) {
        const body = ids.slice(0, 40 - M);
        expect(ids.slice(40 - M)).toEqual(new Array(M).fill(A - 1));
        expect(targets.slice(0, 40 - M)).toEqual(new Array(40 - M).fill(IGNORE));
        expect(targets.slice(40 - M)).toEqual(body.filter((id) => id !== 0));
        data.push(...targets.slice(40 - M));
      }
      expectUniform(data, 1, A - 1);
    }
  });

  it('copying has the data first, selective copying has it anywhere', () => {
    for (const { ids } of draw(copying({ tokens: 5 }), 30, 50)) {
      expect(ids.slice(0, 25).map((id) => id !== 0)).toEqual(range(25).map((i) => i < 5));
    }
    const places = draw(selectiveCopying({ tokens: 5 }), 30, 2000).flatMap(({ ids }) =>
      range(25).filter((i) => ids[i] !== 0),
    );
    expect(places.length).toBe(5 * 2000);
    expectUniform(places, 0, 25);
  });

  it('fills the shortest sequence', () => {
    for (const { ids, targets } of draw(selectiveCopying({ tokens: 4 }), 8, 10)) {
      expect(targets.slice(4)).toEqual(ids.slice(0, 4));
    }
  });

  it('refuses a vocabulary without two symbols, and no tokens', () => {
    expect(() => copying({ vocabSize: 3 })).toThrow(code('INVALID_ARGUMENT'));
    expect(() => selectiveCopying({ tokens: 0 })).toThrow(code('INVALID_ARGUMENT'));
  });
});

describe('syntheticTask', () => {
  it('mixes lengths: as many from 8 to 16 tokens as from 16 to 32', () => {
    const task = syntheticTask(inductionHeads(), { length: 32, minLength: 8, batch: 2 });
    const random = new Random(3);
    const lengths = Array.from({ length: 2000 }, () => {
      const { ids } = task.batch(random);
      expect(ids[1]!.length).toBe(ids[0]!.length);
      return ids[0]!.length;
    });
    expect([Math.min(...lengths), Math.max(...lengths)]).toEqual([8, 32]);
    const short = lengths.filter((length) => length < 16).length;
    // 15.5 is where rounding parts them: log2(15.5 / 8) of two octaves.
    expectShare(short / 2000, Math.log2(15.5 / 8) / 2, 2000);
    expect(() => syntheticTask(inductionHeads(), { length: 8, minLength: 9, batch: 1 })).toThrow(
      /length must be .* at least 9/,
    );
  });

  it('is a function of the random state', () => {
    const task = syntheticTask(selectiveCopying(), { length: 64, batch: 3 });
    const random = new Random(5);
    task.batch(random);
    const state = random.state();
    const next = task.batch(random);
    expect(task.batch(Random.fromState(state))).toEqual(next);
    expect(task.batch(random)).not.toEqual(next);
  });

  it('knows what a guesser gets', () => {
    expect(syntheticChance(inductionHeads())).toEqual({
      loss: Math.log(16),
      tokenAccuracy: 1 / 16,
      sequenceAccuracy: 1 / 16,
    });
    expect(syntheticChance(copying({ vocabSize: 6, tokens: 2 }))).toEqual({
      loss: Math.log(4),
      tokenAccuracy: 1 / 4,
      sequenceAccuracy: 1 / 16,
    });
  });

  it('refuses lengths without room and counts below one', () => {
    const good = { length: 32, batch: 1 };
    for (const bad of [
      { length: 31 },
      { evalLength: 31 },
      { length: 40.5 },
      { batch: 0 },
      { evalSequences: 0 },
      { evalBatch: 0 },
    ]) {
      expect(() => syntheticTask(copying(), { ...good, ...bad })).toThrow(
        expect.objectContaining({
          code: 'INVALID_ARGUMENT',
          message: expect.stringContaining(Object.keys(bad)[0]!),
        }),
      );
    }
  });
});

describe('textTask', () => {
  const bytes = Uint8Array.from(range(200)); // every byte says where it is

  it('trains on windows of the first 90 % and never sees the rest', () => {
    const task = textTask(bytes, { length: 10, batch: 4 });
    const random = new Random(1);
    const starts: number[] = [];
    for (let i = 0; i < 1000; i++) {
      const { ids, targets } = task.batch(random);
      expect(ids.length).toBe(4);
      ids.forEach((row, r) => {
        expect(row).toEqual(range(10).map((t) => row[0]! + t));
        expect(targets[r]).toEqual(row.map((id) => id + 1));
        starts.push(row[0]!);
      });
    }
    // The last window's last target is byte 179, the last of the training part.
    expectUniform(starts, 0, 170);
  });

  it('splits at 90 %, rounded down', () => {
    const { training, validation } = splitText(bytes.subarray(0, 15));
    expect([...training]).toEqual(range(13));
    expect([...validation]).toEqual([13, 14]);
  });

  it('refuses a text that is too short, and counts below one', () => {
    expect(() => textTask(bytes.subarray(0, 20), { length: 17, batch: 1 })).not.toThrow();
    for (const make of [
      () => textTask(bytes.subarray(0, 20), { length: 18, batch: 1 }),
      () => textTask(bytes.subarray(0, 10), { length: 2, batch: 1 }),
      () => textTask(bytes, { length: 0, batch: 1 }),
      () => textTask(bytes, { length: 10, batch: 1.5 }),
      () => textTask(bytes, { length: 10, batch: 1, evalBytes: 1 }),
    ]) {
      expect(make).toThrow(code('INVALID_ARGUMENT'));
    }
  });
});
