import fc from 'fast-check';
import type { OpCase } from './case.js';
import { Draw } from './draw.js';
import { batch, channels, type Family, type Limits, length, seed, states, table, upTo } from './family.js';

interface RecurrenceOptions {
  batch: number;
  length: number;
  channels: number;
  initialState: boolean;
  dLastState: boolean;
  algorithm: 'sequential' | 'associative' | undefined;
  seed: number;
}

const PLAIN: RecurrenceOptions = {
  batch: 2,
  length: 17,
  channels: 5,
  initialState: false,
  dLastState: false,
  algorithm: undefined,
  seed: 0,
};

function recurrenceCases(name: string, given: Partial<RecurrenceOptions>): OpCase[] {
  const options = { ...PLAIN, ...given };
  const { batch, length, channels, algorithm, initialState, dLastState } = options;
  const draw = new Draw(options.seed);
  const inputs = {
    a: draw.uniform([batch, length, channels], -1, 1),
    b: draw.normal([batch, length, channels]),
    initialState: initialState ? draw.normal([batch, channels]) : undefined,
    algorithm,
  };
  const grads = {
    dh: draw.normal([batch, length, channels]),
    dLastState: dLastState ? draw.normal([batch, channels]) : undefined,
  };
  return [
    { op: 'linearRecurrence', name, inputs },
    { op: 'linearRecurrenceBackward', name, inputs, grads },
  ];
}

export const recurrence: Family = {
  ops: ['linearRecurrence', 'linearRecurrenceBackward'],
  directed: (limits) =>
    table(
      {
        'no options': {},
        initialState: { initialState: true },
        'gradient of the last state': { dLastState: true },
        sequential: { algorithm: 'sequential', initialState: true, dLastState: true },
        associative: { algorithm: 'associative', initialState: true, dLastState: true },
        ...Object.fromEntries(
          [1, 2, 63, 64, 65, 130].map((wanted, i) => {
            const length = upTo(wanted, limits);
            const options = { length, channels: 1 + 4 * i, initialState: true, dLastState: true };
            return [`L=${length}, associative`, { ...options, algorithm: 'associative' as const }];
          }),
        ),
      } satisfies Record<string, Partial<RecurrenceOptions>>,
      (name, options: Partial<RecurrenceOptions>) =>
        recurrenceCases(name, { ...options, length: upTo(options.length ?? PLAIN.length, limits) }),
    ),
  random: (limits) =>
    fc
      .record({
        batch: batch(),
        length: length(limits),
        channels: channels(),
        initialState: fc.boolean(),
        dLastState: fc.boolean(),
        algorithm: fc.constantFrom(undefined, 'sequential' as const, 'associative' as const),
        seed: seed(),
      })
      .map((options) => recurrenceCases('random', options)),
};

interface KernelOptions {
  channels: number;
  states: number;
  length: number;
  seed: number;
}

function kernelCases(name: string, { channels, states, length, seed }: KernelOptions): OpCase[] {
  const draw = new Draw(seed);
  const inputs = {
    dt: draw.uniform([channels], 0.001, 0.1),
    A: { re: draw.uniform([channels, states], -1, -0.1), im: draw.uniform([channels, states], 0, 10) },
    C: { re: draw.normal([channels, states]), im: draw.normal([channels, states]) },
    length,
  };
  return [
    { op: 's4dKernel', name, inputs },
    { op: 's4dKernelBackward', name, inputs, grads: { dkernel: draw.normal([channels, length]) } },
  ];
}

export const s4dKernel: Family = {
  ops: ['s4dKernel', 's4dKernelBackward'],
  directed: (limits) =>
    table(
      Object.fromEntries(
        (
          [
            [4, 4, 17],
            [1, 1, 1],
            [3, 8, 64],
            [17, 3, 65],
            [33, 16, 130],
          ] as const
        ).map(([channels, states, wanted]) => {
          const length = upTo(wanted, limits);
          return [`D=${channels} N=${states} L=${length}`, { channels, states, length }];
        }),
      ),
      kernelCases,
    ),
  random: (limits) =>
    fc
      .record({ channels: channels(), states: states(), length: length(limits), seed: seed() })
      .map((options) => kernelCases('random', options)),
};

interface LongConvOptions {
  batch: number;
  length: number;
  channels: number;
  kernel: number;
  D: boolean;
  seed: number;
}

function longConvCases(name: string, options: LongConvOptions): OpCase[] {
  const { batch, length, channels, kernel, D, seed } = options;
  const draw = new Draw(seed);
  const inputs = {
    x: draw.normal([batch, length, channels]),
    kernel: draw.normal([channels, kernel], kernel ** -0.5),
    D: D ? draw.normal([channels]) : undefined,
  };
  return [
    { op: 'longConv', name, inputs },
    { op: 'longConvBackward', name, inputs, grads: { dy: draw.normal([batch, length, channels]) } },
  ];
}

export const longConv: Family = {
  ops: ['longConv', 'longConvBackward'],
  directed: (limits: Limits) =>
    table(
      Object.fromEntries(
        (
          [
            [2, 17, 5, 17],
            [2, 17, 5, 4],
            [1, 9, 3, 30],
            [1, 1, 1, 1],
            [3, 65, 17, 65],
            [1, 130, 33, 130],
          ] as const
        ).map(([batch, l, channels, k], i) => {
          const [length, kernel] = [upTo(l, limits), upTo(k, limits)];
          const D = i % 2 === 1;
          const name = `D=${channels} L=${length} K=${kernel}${D ? ', skip D' : ''}`;
          return [name, { batch, length, channels, kernel, D }];
        }),
      ),
      longConvCases,
    ),
  random: (limits) =>
    fc
      .record({
        batch: batch(),
        length: length(limits),
        channels: channels(),
        kernel: length(limits),
        D: fc.boolean(),
        seed: seed(),
      })
      .map((options) => longConvCases('random', options)),
};
