import type { Backend } from '@mamba-ts/backend';
import { fixture, fixtureFolder } from '@mamba-ts/conformance';
import { createCpuBackend } from '@mamba-ts/cpu';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { relativeError, take } from '../test/compare.js';
import { blockForward, blockParameters, blockStep } from './block.js';
import { resolveConfig } from './config/resolve.js';
import { MambaLM } from './lm.js';
import { mixerOf } from './mixers/index.js';
import type { Run } from './mixers/mixer.js';
import { emptyLayers } from './state/layers.js';

/* Against figures of the official code, of an original checkpoint and of its transformers twin. */

const { tensors } = await fixture('tiny-mamba');
const figure = (name: string) => Array.from(tensors.get(name)!.data);
const rowsOf = (name: string) => {
  const { data, shape } = tensors.get(name)!;
  return Array.from({ length: shape[0]! }, (_, r) =>
    Array.from(data.slice(r * shape[1]!, (r + 1) * shape[1]!)),
  );
};

let backend: Backend;
beforeEach(async () => {
  backend = await createCpuBackend();
});
afterEach(() => backend.dispose());

describe.each(['tiny-mamba', 'tiny-mamba-hf'] as const)('%s', (name) => {
  const load = (dtype: 'f64' | 'f32' | 'f16' | 'bf16' | 'int8') =>
    MambaLM.fromPretrained(fixtureFolder(name), { backend, dtype });

  it.each([
    ['f64', 1e-11],
    ['f32', 1e-5],
  ] as const)('logits and the residual stream in %s', async (dtype, bar) => {
    const lm = await load(dtype);
    const before = backend.memory();
    const { logits, hidden } = lm.forward(rowsOf('inputIds'), { hidden: true });
    expect(logits.shape).toEqual([2, 21, 64]);
    expect(relativeError(await take(logits), figure('logits'))).toBeLessThan(bar);
    expect(hidden).toHaveLength(4);
    for (const [i, want] of ['hidden.0', 'hidden.1', 'hidden.2', 'hidden.final'].entries()) {
      expect(relativeError(await take(hidden![i]!), figure(want))).toBeLessThan(bar);
    }
    expect(backend.memory()).toEqual(before);
  });

  it.each(['f64', 'f32'] as const)('states after the prompt in %s', async (dtype) => {
    const lm = await load(dtype);
    const state = lm.createState(2);
    (await lm.prefill(rowsOf('promptIds'), state)).logits.dispose();
    expect(state.position).toBe(9);
    for (const [i, { conv, ssm }] of state.layers.entries()) {
      expect(relativeError(await take(conv), figure(`prefill.${i}.conv`))).toBeLessThan(1e-5);
      expect(relativeError(await take(ssm as typeof conv), figure(`prefill.${i}.ssm`))).toBeLessThan(1e-5);
    }
  });

  it.each(['f64', 'f32'] as const)('greedy continuations of both rows in %s', async (dtype) => {
    const lm = await load(dtype);
    const want = rowsOf('greedyIds');
    const options = { maxTokens: 32, temperature: 0, eos: null };
    const completions = await lm.complete(rowsOf('promptIds'), options);
    completions.forEach(({ tokens, finishReason }, r) => {
      expect([...rowsOf('promptIds')[r]!, ...tokens]).toEqual(want[r]);
      expect(finishReason).toBe('length');
    });
    const alone = await lm.complete(rowsOf('promptIds')[1]!, options);
    expect(alone.tokens).toEqual(completions[1]!.tokens);
  });

  it('logits at every step of the continuation', async () => {
    const lm = await load('f32');
    const state = lm.createState(2);
    const ids = rowsOf('greedyIds');
    let { logits } = await lm.prefill(rowsOf('promptIds'), state);
    const steps: number[][] = [];
    for (let t = 9; t < 41; t++) {
      steps.push(await take(logits));
      ({ logits } = lm.step(
        ids.map((row) => row[t]!),
        state,
      ));
    }
    const got = [0, 1].flatMap((r) => steps.flatMap((step) => step.slice(r * 64, (r + 1) * 64)));
    expect(relativeError(got, figure('greedyStepLogits'))).toBeLessThan(1e-5);
  });

  it.each([
    ['f16', 2e-3],
    ['bf16', 2e-2],
    ['int8', 5e-2],
  ] as const)('weights in %s stay close', async (dtype, bar) => {
    const lm = await load(dtype);
    const error = relativeError(await take(lm.forward(rowsOf('inputIds')).logits), figure('logits'));
    expect(error).toBeGreaterThan(0);
    expect(error).toBeLessThan(bar);
  });
});

it('both naming schemes give identical logits, names and fingerprint', async () => {
  const [a, b] = await Promise.all(
    (['tiny-mamba', 'tiny-mamba-hf'] as const).map((name) =>
      MambaLM.fromPretrained(fixtureFolder(name), { backend }),
    ),
  );
  const ids = rowsOf('inputIds');
  expect(await take(a!.forward(ids).logits)).toEqual(await take(b!.forward(ids).logits));
  expect([...a!.parameters().keys()]).toEqual([...b!.parameters().keys()]);
  expect(a!.parameters().has('lm_head.weight')).toBe(false);
  expect(await a!.fingerprint()).toBe(await b!.fingerprint());
});

describe('the block', async () => {
  const blocks = await fixture('mamba-block');
  it.each(blocks.cases.map((item) => [item.name, item] as const))('%s', async (name, item) => {
    const official = item['config'] as Record<string, number | string | boolean>;
    const config = resolveConfig({
      ...{ nLayer: 1, vocabSize: 8, dModel: official['d_model'] as number },
      ...{ dState: official['d_state'] as number, dConv: official['d_conv'] as number },
      ...{ expand: official['expand'] as number, dtRank: official['dt_rank'] as number | 'auto' },
      ...{ bias: official['bias'] as boolean, convBias: official['conv_bias'] as boolean },
    });
    const figures = blocks.tensorsOf(name);
    const stored = blocks.tensorsOf(item['weights'] as string);
    for (const [dtype, bar] of [
      ['f64', 1e-11],
      ['f32', 1e-5],
    ] as const) {
      const run: Run = {
        ...{ config, backend, dtype, ops: backend.ops },
        scope: (inner) => backend.scope(inner),
        free: (tensor) => tensor.dispose(),
      };
      const weights = Object.fromEntries(
        blockParameters(config).map((spec) => [
          spec.name,
          backend.tensor(stored.get(spec.name)!.data, spec.shape, dtype),
        ]),
      );
      const constants = mixerOf(config).constants(run, weights);
      const { data, shape } = figures.get('x')!;
      const [batch, length, width] = shape as [number, number, number];
      const { y, state } = blockForward(run, weights, constants, backend.tensor(data, shape, dtype), {
        ...{ state: undefined, seqIdx: undefined, wantState: true },
      });
      expect(relativeError(await y.data(), figures.get('y')!.data)).toBeLessThan(bar);
      expect(relativeError(await state!.conv.data(), figures.get('convState')!.data)).toBeLessThan(1e-5);

      const [stepped] = emptyLayers(config, backend, dtype, batch);
      const got = new Float64Array(batch * length * width);
      for (let t = 0; t < length; t++) {
        const rows = Array.from({ length: batch }, (_, b) =>
          Array.from(data.slice((b * length + t) * width, (b * length + t + 1) * width)),
        );
        const token = backend.tensor(rows.flat(), [batch, width], dtype);
        const out = await blockStep(run, weights, constants, token, stepped!).data();
        for (let b = 0; b < batch; b++) {
          got.set(out.subarray(b * width, (b + 1) * width), (b * length + t) * width);
        }
      }
      expect(relativeError(got, figures.get('y')!.data)).toBeLessThan(bar);
      expect(relativeError(got, figures.get('stepY')!.data)).toBeLessThan(1e-5);
    }
  });
});
