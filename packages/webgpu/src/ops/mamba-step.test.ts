import type { Tensor } from '@mamba-ts/backend';
import { createCpuBackend } from '@mamba-ts/cpu';
import { describe, expect, test } from 'vitest';
import { noGpu, numbers, validating, webgpu } from '../../test/backends.js';
import { expectCode } from '../../test/expect-code.js';
import type { MambaStepInputs, WebgpuBackend } from '../index.js';

interface Sizes {
  batch?: number;
  model?: number;
  channels?: number;
  width?: number;
  rank?: number;
  states?: number;
  weights?: 'f32' | 'f16' | 'bf16' | 'int8';
}

type Make = Pick<WebgpuBackend, 'tensor'>;

function inputsOf(backend: Make, sizes: Sizes): MambaStepInputs & { residual: Tensor } {
  const { batch = 1, model = 24, channels = 40, width = 4, rank = 8, states = 16, weights = 'f32' } = sizes;
  let seed = 0;
  const make = (shape: number[], dtype: Sizes['weights'] = 'f32') => {
    const count = shape.reduce((a, b) => a * b);
    const scale = dtype === 'f32' && shape.length < 2 ? 1 : (shape.at(-1) ?? 1) ** -0.5;
    return backend.tensor(numbers(count, ++seed, 2 * scale), shape, dtype);
  };
  const A = numbers(channels * states, 99).map((x) => -1.1 - x);
  return {
    x: make([batch, model]),
    residual: make([batch, model]),
    normWeight: make([model]),
    eps: 1e-5,
    inProj: make([2 * channels, model], weights),
    convWeight: make([channels, width]),
    convBias: make([channels]),
    convState: make([batch, width - 1, channels]),
    xProj: make([rank + 2 * states, channels], weights),
    dtProj: make([channels, rank], weights),
    dtBias: make([channels]),
    A: backend.tensor(A, [channels, states]),
    D: make([channels]),
    state: make([batch, channels, states]),
    outProj: make([model, channels], weights),
  };
}

/** The definition: the contract's ops, one by one, on the reference backend. */
async function reference(sizes: Sizes, tokens: number, without: readonly string[] = []) {
  const backend = await createCpuBackend();
  const { ops } = backend;
  const all = { ...inputsOf(backend as Make, sizes) };
  for (const name of without) delete (all as Record<string, unknown>)[name];
  let { x, residual } = all as MambaStepInputs;
  const [channels, rank] = all.dtProj.shape as [number, number];
  const states = all.A.shape[1]!;
  const out: number[][] = [];
  for (let t = 0; t < tokens; t++) {
    const norm = ops.rmsNorm({ x, residual, weight: all.normWeight, eps: all.eps });
    const xz = ops.linear({ x: norm.y, weight: all.inProj });
    const [input, z] = ops.split({ x: xz, sizes: [channels, channels], axis: 1 });
    const conv = { weight: all.convWeight, bias: all.convBias, state: all.convState };
    const u = ops.causalConv1dStep({ x: input!, activation: 'silu', ...conv });
    const projected = ops.linear({ x: u, weight: all.xProj });
    const [dt, B, C] = ops.split({ x: projected, sizes: [rank, states, states], axis: 1 });
    const delta = ops.linear({ x: dt!, weight: all.dtProj });
    const { A, D, dtBias: deltaBias, state } = all;
    const y = ops.selectiveScanStep({
      u,
      delta,
      A,
      B: B!,
      C: C!,
      D,
      z: z!,
      deltaBias,
      softplus: true,
      state,
    });
    x = ops.linear({ x: y, weight: all.outProj });
    residual = norm.residual;
    out.push([...(await x.data())], [...(await residual.data())]);
  }
  return [...out, [...(await all.convState.data())], [...(await all.state.data())]];
}

async function stepped(
  backend: WebgpuBackend,
  sizes: Sizes,
  tokens: number,
  without: readonly string[] = [],
) {
  const all = inputsOf(backend, sizes);
  for (const name of without) delete (all as unknown as Record<string, unknown>)[name];
  let { x, residual } = all as MambaStepInputs;
  const out: number[][] = [];
  for (let t = 0; t < tokens; t++) {
    ({ y: x, residual } = backend.ops.mambaStep({ ...all, x, residual }));
    out.push([...(await x.data())], [...(await residual.data())]);
  }
  return [...out, [...(await all.convState.data())], [...(await all.state.data())]];
}

function expectClose(got: number[][], want: number[][]) {
  for (const [i, values] of want.entries()) {
    const largest = Math.max(...values.map(Math.abs));
    const error = Math.max(...values.map((value, j) => Math.abs(value - got[i]![j]!)));
    expect(error / largest).toBeLessThan(2e-5);
  }
}

describe.skipIf(noGpu)('mambaStep', () => {
  test.each<[string, Sizes]>([
    ['of one row', {}],
    ['of three rows', { batch: 3 }],
    ['with a width of 2 and 4 states', { width: 2, states: 4 }],
    ['with 20 states and a rank of 12', { states: 20, rank: 12 }],
    ['with a rank of 10', { rank: 10 }],
    ['with a rank of 3 and f16 weights', { rank: 3, weights: 'f16' }],
    ['with f16 weights', { weights: 'f16' }],
    ['with bf16 weights', { weights: 'bf16' }],
    ['with int8 weights', { weights: 'int8', model: 64, channels: 96 }],
    ['with sizes that are no multiples of four', { model: 10, channels: 15, rank: 3, states: 5 }],
    ['of many rows', { batch: 11 }],
  ])('%s is the ops one after another', async (_, sizes) => {
    expectClose(await stepped(await webgpu(), sizes, 3), await reference(sizes, 3));
  });

  test.each([[['residual']], [['convBias']], [['D']]])('without %s', async (without) => {
    expectClose(await stepped(await webgpu(), {}, 2, without), await reference({}, 2, without));
  });

  test('gives the same tensor as the residual when none was given', async () => {
    const backend = await webgpu();
    const { residual: _, ...inputs } = inputsOf(backend, {});
    expect(backend.ops.mambaStep(inputs).residual).toBe(inputs.x);
  });
});

test('is four dispatches', async () => {
  const backend = await validating();
  const inputs = inputsOf(backend, { model: 768, channels: 1536, rank: 48, weights: 'f16' });
  const { dispatches } = backend.counters;
  backend.ops.mambaStep(inputs);
  expect(backend.counters.dispatches - dispatches).toBe(4);
});

describe('what does not fit', () => {
  test('is named with the expected shape', async () => {
    const backend = await validating();
    const inputs = inputsOf(backend, {});
    const wrong = { ...inputs, xProj: backend.zeros([39, 40]) };
    const error = expectCode('SHAPE', () => backend.ops.mambaStep(wrong));
    expect(error.message).toBe('mambaStep: xProj has shape [39, 40], expected [40, 40]');
    expectCode('SHAPE', () => backend.ops.mambaStep({ ...inputs, x: backend.zeros([24]) }));
    expectCode('DTYPE', () => backend.ops.mambaStep({ ...inputs, A: backend.zeros([40, 16], 'f16') }));
  });

  test('leaves the states alone and frees what was made', async () => {
    const backend = await validating();
    const inputs = inputsOf(backend, {});
    const before = backend.memory();
    expectCode('SHAPE', () => backend.ops.mambaStep({ ...inputs, outProj: backend.zeros([1, 1]) }));
    expect(backend.memory().tensors).toBe(before.tensors + 1);
  });
});
