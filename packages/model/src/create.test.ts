import type { Backend } from '@mamba-ts/backend';
import { createCpuBackend } from '@mamba-ts/cpu';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MambaConfigInput } from './config/config.js';
import { MambaLM } from './lm.js';

let backend: Backend;
beforeEach(async () => {
  backend = await createCpuBackend();
});
afterEach(() => backend.dispose());

const config = { dModel: 64, nLayer: 4, vocabSize: 500, dIntermediate: 128, tieEmbeddings: false } as const;
const dInner = 128;

async function values(lm: MambaLM, name: string): Promise<number[]> {
  return Array.from(await lm.parameters().get(name)!.data());
}
const mean = (x: number[]) => x.reduce((sum, value) => sum + value, 0) / x.length;
function variance(x: number[]): number {
  const centre = mean(x);
  return mean(x.map((value) => (value - centre) ** 2));
}

/** Mean 0, and the variance of a uniform distribution that fills (-bound, bound). Within five standard errors. */
function expectUniform(x: number[], bound: number): void {
  const largest = Math.max(...x.map(Math.abs));
  expect(largest).toBeLessThanOrEqual(bound * (1 + 1e-6));
  expect(largest).toBeGreaterThan(bound * (1 - 20 / x.length));
  expect(Math.abs(mean(x))).toBeLessThan((5 * bound) / Math.sqrt(3 * x.length));
  // The variance of x² is 4/45 bound⁴.
  expect(Math.abs(variance(x) - bound ** 2 / 3)).toBeLessThan(5 * bound ** 2 * Math.sqrt(4 / 45 / x.length));
}

describe('the official initialisation', () => {
  const layer = 'backbone.layers.1.';

  it.each([
    ['mixer.in_proj.weight', 1 / Math.sqrt(64)],
    ['mixer.conv1d.weight', 1 / Math.sqrt(4)],
    ['mixer.conv1d.bias', 1 / Math.sqrt(4)],
    ['mixer.x_proj.weight', 1 / Math.sqrt(dInner)],
    ['mixer.dt_proj.weight', 4 ** -0.5],
    ['mixer.out_proj.weight', 1 / Math.sqrt(dInner) / Math.sqrt(4)],
    ['mlp.fc1.weight', 1 / Math.sqrt(64)],
    ['mlp.fc2.weight', 1 / Math.sqrt(128) / Math.sqrt(4)],
  ])('%s is uniform within %f', async (name, bound) => {
    const lm = await MambaLM.create(config, { backend });
    expectUniform(await values(lm, layer + name), bound);
  });

  it('the head is as a linear layer, the embedding normal with deviation 0.02', async () => {
    const lm = await MambaLM.create(config, { backend });
    expectUniform(await values(lm, 'lm_head.weight'), 1 / 8);
    const x = await values(lm, 'backbone.embedding.weight');
    expect(Math.abs(mean(x))).toBeLessThan((5 * 0.02) / Math.sqrt(x.length));
    expect(Math.sqrt(variance(x))).toBeCloseTo(0.02, 3);
    const within = x.filter((value) => Math.abs(value) < 0.02).length / x.length;
    expect(within).toBeCloseTo(0.6827, 1.7);
  });

  it('softplus(dt_proj.bias) is log-uniform in [dtMin, dtMax]', async () => {
    const lm = await MambaLM.create({ ...config, nLayer: 20 }, { backend });
    const all: number[] = [];
    for (let i = 0; i < 20; i++) all.push(...(await values(lm, `backbone.layers.${i}.mixer.dt_proj.bias`)));
    const logs = all.map((bias) => Math.log(Math.log1p(Math.exp(bias))));
    const [low, high] = [Math.log(0.001), Math.log(0.1)];
    expectUniform(
      logs.map((log) => log - (low + high) / 2),
      (high - low) / 2,
    );
  });

  it('A is -1 ... -N in every row, D and norms are 1, biases of linear layers 0', async () => {
    const lm = await MambaLM.create({ ...config, bias: true, rmsNorm: false }, { backend, dtype: 'f64' });
    const logs = await values(lm, `${layer}mixer.A_log`);
    for (const [i, log] of logs.entries()) expect(Math.exp(log)).toBeCloseTo((i % 16) + 1, 12);
    for (const name of ['mixer.D', 'norm.weight', 'norm2.weight']) {
      expect(new Set(await values(lm, layer + name))).toEqual(new Set([1]));
    }
    for (const name of ['mixer.in_proj.bias', 'mixer.out_proj.bias', 'norm.bias']) {
      expect(new Set(await values(lm, layer + name))).toEqual(new Set([0]));
    }
  });

  it('knows dtInit constant, dtScale, dtRank and the floor', async () => {
    const lm = await MambaLM.create(
      { ...config, dtInit: 'constant', dtScale: 0.5, dtRank: 9, dtMin: 1e-6, dtMax: 1e-5, dtInitFloor: 0.01 },
      { backend, dtype: 'f64' },
    );
    expect(new Set(await values(lm, `${layer}mixer.dt_proj.weight`))).toEqual(new Set([0.5 / 3]));
    for (const bias of await values(lm, `${layer}mixer.dt_proj.bias`)) {
      expect(Math.log1p(Math.exp(bias))).toBeCloseTo(0.01, 12);
    }
  });

  it('s4d starts from S4D-Lin with its own step sizes', async () => {
    const lm = await MambaLM.create({ ...config, mixer: 's4d', dState: 8 }, { backend, dtype: 'f64' });
    for (const log of await values(lm, `${layer}mixer.log_A_real`)) expect(log).toBe(Math.log(0.5));
    const imaginary = await values(lm, `${layer}mixer.A_imag`);
    for (const [i, im] of imaginary.entries()) expect(im).toBe(Math.PI * (i % 4));
    for (const log of await values(lm, `${layer}mixer.log_dt`)) {
      expect(log).toBeGreaterThanOrEqual(Math.log(0.001));
      expect(log).toBeLessThanOrEqual(Math.log(0.1));
    }
    const c = [...(await values(lm, `${layer}mixer.C_re`)), ...(await values(lm, `${layer}mixer.C_im`))];
    expect(variance(c)).toBeCloseTo(0.5, 0.9);
  });
});

describe('create', () => {
  const small = { dModel: 8, nLayer: 1, vocabSize: 10 };

  it('gives the same weights for the same seed, others for another', async () => {
    const weights = async (seed?: number) => {
      const lm = await MambaLM.create(small, { backend, seed });
      return Promise.all([...lm.parameters().keys()].map((name) => values(lm, name)));
    };
    expect(await weights(3)).toEqual(await weights(3));
    expect(await weights()).toEqual(await weights(0));
    expect(await weights(3)).not.toEqual(await weights(4));
  });

  it('pads the vocabulary and ties the head', async () => {
    const lm = await MambaLM.create(small, { backend });
    expect(lm.parameters().get('backbone.embedding.weight')!.shape).toEqual([16, 8]);
    expect(lm.parameters().has('lm_head.weight')).toBe(false);
    expect(lm.forward([1, 2]).logits.shape).toEqual([1, 2, 16]);
  });

  it('keeps only the matrices in small types', async () => {
    const types = async (dtype: 'f64' | 'f32' | 'f16' | 'int8') => {
      const lm = await MambaLM.create(small, { backend, dtype });
      const of = (name: string) => lm.parameters().get(name)!.dtype;
      const mixer = 'backbone.layers.0.mixer.';
      return [of('backbone.embedding.weight'), of(`${mixer}x_proj.weight`), of(`${mixer}A_log`)];
    };
    expect(await types('f64')).toEqual(['f64', 'f64', 'f64']);
    expect(await types('f32')).toEqual(['f32', 'f32', 'f32']);
    expect(await types('f16')).toEqual(['f16', 'f16', 'f32']);
    expect(await types('int8')).toEqual(['int8', 'f16', 'f32']);
  });

  it('marks what must not decay', async () => {
    const marked = async (input: MambaConfigInput) =>
      [...(await MambaLM.create(input, { backend })).noDecay].map((name) => name.split('.').at(-1)).sort();
    expect(await marked(small)).toEqual(['A_log', 'D']);
    expect(await marked({ ...small, complexA: true })).toEqual(['A_imag', 'A_log', 'D']);
    expect(await marked({ ...small, mixer: 's4d' })).toEqual(['A_imag', 'D', 'log_A_real', 'log_dt']);
    expect(await marked({ ...small, selective: { B: false, C: false } })).toEqual(['A_log', 'B', 'D']);
  });

  it('refuses bad arguments and what the backend lacks, and leaves nothing', async () => {
    const before = backend.memory();
    const create = (input: unknown, options: object) =>
      MambaLM.create(input as MambaConfigInput, { backend, ...options });
    await expect(create({ ...small, dModel: -1 }, {})).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(create(small, { seed: 0.5 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(create(small, { dtype: 'f8' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    const without: Backend = Object.create(backend, {
      supports: { value: (_: string, need?: { weight?: string }) => need?.weight !== 'int8' },
    });
    await expect(create(small, { backend: without, dtype: 'int8' })).rejects.toMatchObject({ code: 'DTYPE' });
    expect(backend.memory()).toEqual(before);
  });

  it.each([4, 'the constants'])('frees what it made when memory runs out at %s', async (at) => {
    const before = backend.memory();
    let left = at;
    const failing: Backend = Object.create(backend, {
      tensor: {
        value: (...args: Parameters<Backend['tensor']>) => {
          if (left === 0) throw new Error('out of memory');
          if (typeof left === 'number') left--;
          return backend.tensor(...args);
        },
      },
      ops: {
        value: {
          ...backend.ops,
          exp: () => {
            throw new Error('out of memory');
          },
        },
      },
      scope: { value: <T>(run: () => T) => backend.scope(run) },
      supports: { value: () => true },
    });
    await expect(MambaLM.create(small, { backend: failing })).rejects.toThrow('out of memory');
    expect(backend.memory()).toEqual(before);
  });
});
