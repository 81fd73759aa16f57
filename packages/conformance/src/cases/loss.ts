import fc from 'fast-check';
import { hostF32, hostI32 } from '../host.js';
import type { OpCase } from './case.js';
import { Draw } from './draw.js';
import { type Family, seed, table } from './family.js';

interface Options {
  leading: readonly number[];
  vocab: number;
  /** Standard deviation of the logits. */
  scale: number;
  /** Share of the targets that is ignored. */
  ignored: number;
  ignoreIndex: number | undefined;
  seed: number;
}

function cases(name: string, given: Partial<Options>): OpCase[] {
  const options = {
    leading: [2, 5],
    vocab: 11,
    scale: 2,
    ignored: 0,
    ignoreIndex: undefined,
    seed: 0,
    ...given,
  };
  const { leading, vocab, scale, ignored, ignoreIndex } = options;
  const draw = new Draw(options.seed);
  const targets = draw.ints(leading, vocab);
  const data = targets.data.map((id) => (draw.int(100) < 100 * ignored ? (ignoreIndex ?? -100) : id));
  const inputs = {
    logits: draw.normal([...leading, vocab], scale),
    targets: hostI32(data, leading),
    ignoreIndex,
  };
  const grads = { dloss: hostF32([0.75], []) };
  return [
    { op: 'crossEntropy', name, inputs },
    { op: 'crossEntropyBackward', name, inputs, grads },
  ];
}

export const crossEntropy: Family = {
  ops: ['crossEntropy', 'crossEntropyBackward'],
  directed: () =>
    table(
      {
        'no options': {},
        'one row': { leading: [1], vocab: 3 },
        'many classes': { leading: [7], vocab: 1030 },
        'some targets ignored': { ignored: 0.4 },
        'another ignoreIndex': { ignored: 0.4, ignoreIndex: 0 },
        'all targets ignored': { ignored: 1 },
        // exp of these overflows: the largest logit must be taken off first.
        'large logits': { scale: 300 },
      },
      cases,
    ),
  random: () =>
    fc
      .record({
        leading: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 2 }),
        vocab: fc.integer({ min: 2, max: 70 }),
        scale: fc.constantFrom(0.5, 2, 10),
        ignored: fc.constantFrom(0, 0.3),
        ignoreIndex: fc.constantFrom(undefined, -1),
        seed: seed(),
      })
      .map((options) => cases('random', options)),
};

const argmaxCase = (name: string, x: OpCase['inputs'][string]): OpCase => ({
  op: 'argmax',
  name,
  inputs: { x },
});

export const argmax: Family = {
  ops: ['argmax'],
  directed: () => [
    argmaxCase('[2, 5, 33]', new Draw(1).normal([2, 5, 33])),
    argmaxCase('[1030]', new Draw(2).normal([1030])),
    argmaxCase('the first of equals', hostF32([3, 7, 7, 1, 7, 0, 0, 0, 0, 0, -2, -1, -1, -3, -1], [3, 5])),
    argmaxCase('the first of equals, far apart', {
      ...new Draw(3).fill([2, 600], () => 0.5),
      dtype: 'f32',
    }),
    argmaxCase('the last', hostF32([-3, -2, -1, 0, 0, 9], [2, 3])),
    argmaxCase(
      'minus infinity',
      hostF32([-Infinity, -Infinity, -1e38, -Infinity, -Infinity, -Infinity], [2, 3]),
    ),
  ],
  random: () =>
    fc
      .record({
        rows: fc.integer({ min: 1, max: 9 }),
        columns: fc.integer({ min: 1, max: 300 }),
        seed: seed(),
      })
      .map(({ rows, columns, seed }) => [argmaxCase('random', new Draw(seed).normal([rows, columns]))]),
};
