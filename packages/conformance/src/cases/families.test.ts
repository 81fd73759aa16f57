import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { HostTensor } from '../host.js';
import { type AnyOp, leaves, type OpCase } from './case.js';
import { FAMILIES, OP_NAMES } from './families.js';
import { lengthOf } from './official.js';
import { samples } from './samples.js';

/** The compiler refuses this table if the contract has an op that is not in it, or the other way round. */
const CONTRACT: Record<AnyOp, true> = {
  embedding: true,
  embeddingBackward: true,
  linear: true,
  linearBackward: true,
  rmsNorm: true,
  rmsNormBackward: true,
  layerNorm: true,
  layerNormBackward: true,
  causalConv1d: true,
  causalConv1dBackward: true,
  causalConv1dStep: true,
  selectiveScan: true,
  selectiveScanBackward: true,
  selectiveScanStep: true,
  linearRecurrence: true,
  linearRecurrenceBackward: true,
  s4dKernel: true,
  s4dKernelBackward: true,
  longConv: true,
  longConvBackward: true,
  add: true,
  mul: true,
  silu: true,
  siluBackward: true,
  exp: true,
  fill: true,
  split: true,
  concat: true,
  copy: true,
  crossEntropy: true,
  crossEntropyBackward: true,
  argmax: true,
  gradNorm: true,
  adamW: true,
  mambaStep: true,
  sample: true,
};

const ops = Object.keys(CONTRACT).sort();
const cases = FAMILIES.flatMap((family) => family.directed({ maxLength: 130 }));
const tensorsOf = (c: OpCase) => leaves({ inputs: c.inputs, grads: c.grads }) as [string, HostTensor][];

test('every op of the contract has directed cases, random ones and a sample', () => {
  expect([...OP_NAMES].sort()).toEqual(ops);
  expect([...new Set(cases.map(({ op }) => op))].sort()).toEqual(ops);
  expect([...samples().keys()].sort()).toEqual(ops);
  for (const family of FAMILIES) {
    const [random] = fc.sample(family.random({ maxLength: 130 }), { numRuns: 1, seed: 1 });
    expect(random.map(({ op }) => op).sort()).toEqual([...family.ops].sort());
  }
});

test('every case has a name of its own, and gradients exactly if it is a backward op', () => {
  const names = cases.map(({ op, name }) => `${op}: ${name}`);
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  for (const { op, grads } of cases) expect(grads !== undefined, op).toBe(op.endsWith('Backward'));
});

test('the awkward sizes are all there', () => {
  const scans = cases.filter(({ op }) => op === 'selectiveScan');
  const sizes = (axis: number, of = 'u') =>
    new Set(scans.map(({ inputs }) => (inputs[of] as HostTensor).shape?.[axis]));
  for (const length of [1, 2, 63, 64, 65, 130]) expect(sizes(1)).toContain(length);
  for (const channels of [1, 3, 5, 17, 33]) expect(sizes(2)).toContain(channels);
  for (const states of [1, 3, 8, 16]) expect(sizes(1, 'A')).toContain(states);
});

test('inputs are exact in f32, and the same every time', () => {
  const again = FAMILIES.flatMap((family) => family.directed({ maxLength: 130 }));
  cases.forEach((c, i) => {
    const same = tensorsOf(again[i]);
    for (const [at, [path, { data, dtype }]] of tensorsOf(c).entries()) {
      expect(same[at][1].data, path).toEqual(data);
      if (dtype === 'f32') expect(data.every((value) => Object.is(value, Math.fround(value)))).toBe(true);
    }
  });
});

test('maxLength shortens every sequence', () => {
  const limits = { maxLength: 8 };
  const random = FAMILIES.flatMap((family) =>
    fc.sample(family.random(limits), { numRuns: 20, seed: 2 }).flat(),
  );
  for (const c of [...FAMILIES.flatMap((family) => family.directed(limits)), ...random]) {
    if (/scan|conv|recurrence|s4d/i.test(c.op))
      expect(lengthOf(c), `${c.op}: ${c.name}`).toBeLessThanOrEqual(8);
  }
});
