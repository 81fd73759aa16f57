import { beforeAll, describe, expect, test } from 'vitest';
import { nullGpu } from '../test/swiftshader.js';
import { KERNELS } from './kernels.generated.js';
import { type Constants, type KernelName, Pipelines } from './pipelines.js';

type Choices = Readonly<Record<string, readonly (number | boolean)[]>>;
const flag = [false, true];
const weights: KernelName[] = [
  'weights-f32',
  'weights-f32-odd',
  'weights-f16',
  'weights-bf16',
  'weights-int8',
];

/** Every constant of every kernel, with the values that the ops give it; and the files that are put in front. */
const VARIANTS: Partial<
  Record<
    KernelName,
    { choices: Choices; before?: readonly (KernelName | readonly KernelName[])[]; sums?: boolean }
  >
> = {
  adamw: { choices: { CLIP: flag } },
  'column-sum': { choices: {} },
  conv: {
    choices: {
      W: [1, 2, 3, 4, 5],
      SILU: flag,
      HAS_BIAS: flag,
      HAS_STATE: flag,
      HAS_SEQ: flag,
      SLOPE: flag,
    },
  },
  'conv-backward-input': {
    choices: { W: [1, 2, 3, 4, 5], HAS_SEQ: flag, HAS_STATE: flag, HAS_DLAST: flag },
  },
  'conv-backward-weight': { choices: { W: [1, 2, 3, 4, 5], HAS_STATE: flag, HAS_SEQ: flag } },
  'copy-rows': { choices: {} },
  'cross-entropy': { choices: { GRADIENT: flag } },
  elementwise: { choices: { OP: [0, 1, 2, 3, 4] } },
  embedding: { choices: {}, before: weights },
  'embedding-backward': { choices: {} },
  fill: { choices: {} },
  gemm: { choices: { WIDE: flag, THREADS: [8, 16], A_ACROSS: flag, B_ACROSS: flag }, before: weights },
  'linear-recurrence': { choices: { REVERSE: flag, HAS_STATE: flag } },
  'long-conv': { choices: { BACK: flag, HAS_SKIP: flag } },
  'long-conv-backward-kernel': { choices: {} },
  matvec: { choices: { ROWS: [1, 4], BATCH: [1, 2, 4] }, before: weights, sums: true },
  'mean-loss': { choices: { LOSS: flag } },
  norm: { choices: { WG: [64, 256], LAYER: flag, HAS_BIAS: flag, HAS_RESIDUAL: flag } },
  'norm-backward': { choices: { WG: [64, 256], LAYER: flag, HAS_RESIDUAL: flag, HAS_DRESIDUAL: flag } },
  's4d-kernel': { choices: { COMPLEX: [true] } },
  's4d-kernel-backward': { choices: { COMPLEX: [true] } },
  sample: { choices: { DRAW: flag, FILTER: flag }, sums: true },
  'scan-backward': {
    choices: {
      COMPLEX: flag,
      ZOH: flag,
      Q: [1, 2, 3, 4],
      TILE: [8],
      B_CONSTANT: flag,
      C_CONSTANT: flag,
    },
  },
  'scan-carry': { choices: { COMPLEX: flag } },
  'scan-chunk': {
    choices: {
      COMPLEX: flag,
      ZOH: flag,
      Q: [1, 2, 3, 4],
      REVERSE: flag,
      CONSTANT: flag,
      PACKED: flag,
    },
  },
  'scan-emit': {
    choices: {
      COMPLEX: flag,
      ZOH: flag,
      Q: [1, 2, 3, 4],
      B_CONSTANT: flag,
      C_CONSTANT: flag,
      PACKED: flag,
    },
  },
  'scan-gate': { choices: {} },
  'scan-pack': { choices: {} },
  'scan-sum-coefficients': { choices: {} },
  'scan-unpack': { choices: {} },
  'step-in': {
    choices: { ROWS: [4], W: [2, 3, 4], BIAS: [1, 384] },
    before: weights.map((name) => [name, name === 'weights-int8' ? 'norm-uniform' : 'norm-storage']),
    sums: true,
  },
  'step-scan': { choices: { BIAS: [1, 384], SKIP: [1, 384] }, before: weights },
  'sum-squares': { choices: { ROOT: flag } },
};

const kernels = Object.keys(VARIANTS) as KernelName[];

function* variants(name: KernelName): Generator<{ constants: Constants; snippets: KernelName[] }> {
  const { choices, before, sums } = VARIANTS[name]!;
  let all: Record<string, number | boolean>[] = [{}];
  for (const [key, values] of Object.entries(choices)) {
    all = all.flatMap((one) => values.map((value) => ({ ...one, [key]: value })));
  }
  const front: KernelName[][] = sums ? [['sum-tree'], ['sum-subgroups']] : [[]];
  for (const constants of all) {
    // Complex numbers take twice the room: half the quads.
    if (constants['COMPLEX'] && Number(constants['Q'] ?? 1) > 2) continue;
    for (const first of front) {
      for (const snippet of before ?? [undefined])
        yield { constants, snippets: snippet ? [...first, snippet].flat() : first };
    }
  }
}

test('every file with an entry point is in the table', () => {
  const used = kernels.flatMap((name) => [name, ...[...variants(name)].flatMap(({ snippets }) => snippets)]);
  const entries = Object.keys(KERNELS).filter((name) => KERNELS[name as KernelName].includes('@compute'));
  expect(new Set(used)).toEqual(new Set([...used, ...entries]));
});

describe('on a device with the default limits', () => {
  let withSubgroups: GPUDevice;
  let plain: GPUDevice;

  beforeAll(async () => {
    const gpu = await nullGpu();
    plain = await (await gpu.requestAdapter())!.requestDevice();
    withSubgroups = await (await gpu.requestAdapter())!.requestDevice({ requiredFeatures: ['subgroups'] });
  });

  test.each(kernels)('%s compiles in every variant', async (name) => {
    for (const device of [plain, withSubgroups]) {
      device.pushErrorScope('validation');
      const pipelines = new Pipelines(device);
      for (const { constants, snippets } of variants(name)) {
        if (snippets.includes('sum-subgroups') && device === plain) continue;
        const { label, layout } = pipelines.get(name, constants, snippets);
        const storage = layout.kinds.filter((kind) => kind === 'read' || kind === 'write');
        expect(storage.length, label).toBeLessThanOrEqual(8);
        // The engine binds the parameters last.
        expect(layout.kinds.at(-1), label).toBe('uniform');
      }
      // The message names the variant.
      expect((await device.popErrorScope())?.message).toBeUndefined();
    }
  });
});

test('bindings are numbered without a second meaning', () => {
  for (const name of kernels) {
    for (const { snippets } of variants(name)) {
      const code = [...snippets, name].map((file) => KERNELS[file]).join('');
      const numbers = [...code.matchAll(/@binding\((\d+)\)/g)].map(([, n]) => n);
      expect(new Set(numbers).size, name).toBe(numbers.length);
    }
  }
});
