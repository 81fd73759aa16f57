import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Backend, narrow } from '@mamba-ts/backend';
import { encodeSafetensors, openCheckpoint, type Source, type TensorInput } from '@mamba-ts/checkpoint';
import { fixtureFolder } from '@mamba-ts/conformance';
import { createCpuBackend } from '@mamba-ts/cpu';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { someIds, take } from '../test/compare.js';
import { smallTokenizer } from '../test/small-tokenizer.js';
import { variants } from '../test/variants.js';
import { MambaLM } from './lm.js';
import { ByteTokenizer } from './tokenizers/bytes.js';
import type { WeightDType } from './weight-dtype.js';

type Files = Record<string, string | Uint8Array>;
type TensorFiles = Map<string, TensorInput>;

let backend: Backend;
beforeEach(async () => {
  backend = await createCpuBackend();
});
afterEach(() => backend.dispose());

const config = { dModel: 8, nLayer: 2, vocabSize: 10, dState: 4 };
const mixer = 'backbone.layers.1.mixer.';
const ids = someIds(6, 10);
const logitsOf = (lm: MambaLM) => take(lm.forward(ids).logits);
const load = (files: Files, dtype?: WeightDType) => MambaLM.fromPretrained(files, { backend, dtype });

/** The files of a small model, its tensors put through `edit`. */
async function files(edit: (tensors: TensorFiles) => void = () => {}, input = config): Promise<Files> {
  const lm = await MambaLM.create(input, { backend, seed: 1 });
  const encoded = await lm.encode();
  lm.dispose();
  const checkpoint = await openCheckpoint(encoded);
  const tensors: TensorFiles = new Map();
  for (const name of checkpoint.tensors.keys()) tensors.set(name, await checkpoint.read(name));
  edit(tensors);
  return { ...encoded, 'model.safetensors': encodeSafetensors(tensors) };
}

function withConfig(from: Files, change: (json: Record<string, unknown>) => void): Files {
  const json = JSON.parse(new TextDecoder().decode(from['config.json'] as Uint8Array)) as Record<
    string,
    unknown
  >;
  change(json);
  return { ...from, 'config.json': JSON.stringify(json) };
}

describe('save, encode and fromPretrained', () => {
  it.each(variants)('give back a model to the last bit: %s', async (_, input) => {
    const lm = await MambaLM.create(input, { backend, seed: 2 });
    const again = await load(await lm.encode());
    expect(again.config).toEqual(lm.config);
    expect(await logitsOf(again)).toEqual(await logitsOf(lm));
    expect(await again.fingerprint()).toBe(await lm.fingerprint());
  });

  it('write a folder, over an old one', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mamba-ts-model-'));
    try {
      const first = await MambaLM.create(config, { backend, seed: 3 });
      await first.save(join(folder, 'new'));
      const lm = await MambaLM.create({ ...config, tokenizer: 'bytes', vocabSize: 256 }, { backend });
      await lm.save(join(folder, 'new'));
      const again = await MambaLM.fromPretrained(join(folder, 'new'), { backend });
      expect(await logitsOf(again)).toEqual(await logitsOf(lm));
      expect(again.tokenizer).toBeInstanceOf(ByteTokenizer);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('writes what torch and transformers expect: [D, 1, W], no tied head, metadata', async () => {
    const lm = await MambaLM.create(config, { backend });
    const checkpoint = await openCheckpoint(await lm.encode());
    expect(checkpoint.tensors.get(`${mixer}conv1d.weight`)!.shape).toEqual([16, 1, 4]);
    expect(checkpoint.tensors.has('lm_head.weight')).toBe(false);
    expect(checkpoint.metadata['format']).toBe('pt');
  });

  it.each(['f16', 'bf16'] as const)('round the matrices to %s, and only them', async (dtype) => {
    const lm = await MambaLM.create(config, { backend, seed: 4 });
    const checkpoint = await openCheckpoint(await lm.encode({ dtype }));
    expect(checkpoint.tensors.get(`${mixer}in_proj.weight`)!.dtype).toBe(dtype);
    expect(checkpoint.tensors.get(`${mixer}A_log`)!.dtype).toBe('f32');
    const { data } = await checkpoint.read(`${mixer}in_proj.weight`);
    const values = await lm.parameters().get(`${mixer}in_proj.weight`)!.data();
    expect(data).toEqual(narrow(values, dtype));
    // Kept as they are in the file, or widened: the same model.
    const [kept, widened] = [
      await load(await lm.encode({ dtype }), dtype),
      await load(await lm.encode({ dtype })),
    ];
    expect(kept.parameters().get(`${mixer}in_proj.weight`)!.dtype).toBe(dtype);
    expect(await logitsOf(kept)).toEqual(await logitsOf(widened));
    expect(await kept.fingerprint()).toBe(await widened.fingerprint());
  });

  it('keep f64', async () => {
    const lm = await MambaLM.create(config, { backend, dtype: 'f64', seed: 5 });
    const again = await load(await lm.encode(), 'f64');
    expect(await logitsOf(again)).toEqual(await logitsOf(lm));
    await expect(lm.encode({ dtype: 'int8' as 'f16' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('keep the tokenizer of the model', async () => {
    const tokenizer = smallTokenizer();
    const lm = await load({ ...(await files(undefined, { ...config, vocabSize: 261 })), ...tokenizer });
    expect(lm.tokenizer!.encode('the')).toHaveLength(1);
    const again = await load(await lm.encode());
    expect(again.tokenizer!.encode('the cat')).toEqual(lm.tokenizer!.encode('the cat'));
    const own = new ByteTokenizer();
    const other = await MambaLM.fromPretrained(await lm.encode(), { backend, tokenizer: own });
    expect(other.tokenizer).toBe(own);
  });
});

describe('fromPretrained', () => {
  it('takes an embedding without the padding rows', async () => {
    const whole = await load(await files());
    const trimmed = await load(
      await files((tensors) => {
        const { data } = tensors.get('backbone.embedding.weight')!;
        const rows = { dtype: 'f32', shape: [10, 8], data: data.slice(0, 80) } as TensorInput;
        tensors.set('backbone.embedding.weight', rows);
      }),
    );
    expect([whole.config.paddedVocabSize, trimmed.config.paddedVocabSize]).toEqual([16, 10]);
    const [a, b] = [await logitsOf(whole), await logitsOf(trimmed)];
    expect(b).toEqual(a.filter((_, i) => i % 16 < 10));
  });

  it('ignores a tied head, and needs a separate one', async () => {
    const base = await files();
    const tied = await files((tensors) =>
      tensors.set('lm_head.weight', tensors.get('backbone.embedding.weight')!),
    );
    expect(await logitsOf(await load(tied))).toEqual(await logitsOf(await load(base)));
    const separate = withConfig(base, (json) => {
      json['tie_embeddings'] = false;
    });
    await expect(load(separate)).rejects.toThrow(/lacks lm_head\.weight/);
  });

  it('takes weights of a training run in any floating type', async () => {
    const base = await load(await files());
    const wide = await load(
      await files((tensors) => {
        for (const [name, { shape, data }] of tensors) {
          tensors.set(name, { dtype: 'f64', shape, data: Float64Array.from(data as Float32Array) });
        }
      }),
    );
    expect(await logitsOf(wide)).toEqual(await logitsOf(base));
  });

  it.each<[string, (tensors: TensorFiles) => void, RegExp, string]>([
    ['a missing tensor', (t) => t.delete(`${mixer}D`), /lacks .*mixer\.D/, `${mixer}D`],
    [
      'an unexpected tensor',
      (t) => t.set('backbone.extra', { dtype: 'f32', shape: [1], data: Float32Array.of(1) }),
      /has backbone\.extra/,
      'backbone.extra',
    ],
    [
      'a layer too many',
      (t) => t.set('backbone.layers.2.norm.weight', t.get('backbone.layers.1.norm.weight')!),
      /layers\.2\.norm/,
      'backbone.layers.2.norm.weight',
    ],
    [
      'a wrong shape',
      (t) => t.set(`${mixer}D`, { dtype: 'f32', shape: [4, 4], data: new Float32Array(16) }),
      /mixer\.D of shape \[4, 4\].*\[16\]/,
      `${mixer}D`,
    ],
    [
      'integers for weights',
      (t) => t.set(`${mixer}D`, { dtype: 'i32', shape: [16], data: new Int32Array(16) }),
      /mixer\.D of type i32/,
      `${mixer}D`,
    ],
    [
      'the embedding twice',
      (t) => t.set('backbone.embeddings.weight', t.get('backbone.embedding.weight')!),
      /has backbone\.embeddings?\.weight/,
      'backbone.embeddings.weight',
    ],
  ])('refuses %s, naming it, and leaves nothing', async (_, edit, message, tensor) => {
    const broken = await files(edit);
    const before = backend.memory();
    const loading = load(broken);
    await expect(loading).rejects.toThrow(message);
    await expect(loading).rejects.toMatchObject({ code: 'CHECKPOINT_FORMAT', details: { tensor } });
    expect(backend.memory()).toEqual(before);
  });

  it('refuses what is no model of this kind, or is not there', async () => {
    const base = await files();
    const other = withConfig(base, (json) => {
      json['ssm_cfg'] = { layer: 'Mamba2' };
    });
    await expect(load(other)).rejects.toMatchObject({ code: 'UNSUPPORTED_MODEL' });
    await expect(load({ ...base, 'config.json': '{' })).rejects.toMatchObject({ code: 'CHECKPOINT_FORMAT' });
    await expect(load({ 'model.safetensors': base['model.safetensors']! })).rejects.toMatchObject({
      code: 'IO',
    });
    await expect(load({ 'config.json': base['config.json']! })).rejects.toMatchObject({
      code: 'CHECKPOINT_FORMAT',
    });
    await expect(load(base, 'f8' as 'f16')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it.each([
    { d_model: 2 ** 19 },
    { n_layer: 4096 },
    { vocab_size: 2 ** 24 },
    { ssm_cfg: { d_state: 4096, d_conv: 1024, expand: 100 } },
    { d_intermediate: 2 ** 20, mamba_ts: { mixer: 's4d' } },
  ])('compares a hostile config with the file before it allocates: %j', async (change) => {
    const hostile = withConfig(await files(), (json) => Object.assign(json, change));
    await expect(load(hostile)).rejects.toMatchObject({ code: 'CHECKPOINT_FORMAT' });
  });

  it('reports progress up to the whole', async () => {
    const seen: number[] = [];
    let total = 0;
    await MambaLM.fromPretrained(fixtureFolder('tiny-mamba-hf'), {
      backend,
      onProgress: (progress) => {
        seen.push(progress.loaded);
        total = progress.total;
      },
    });
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen.at(-1)).toBe(total);
  });

  it('leaves nothing when it is aborted, at whatever read', async () => {
    const base = await files();
    const before = backend.memory();
    for (const at of [0, 1, 3, 8, 15]) {
      const controller = new AbortController();
      let reads = 0;
      const inner = await openCheckpoint(base);
      const source: Source = Object.create(inner.source, {
        read: {
          value: (...args: Parameters<Source['read']>) => {
            if (reads++ === at) controller.abort();
            return inner.source.read(...args);
          },
        },
      });
      const loading = MambaLM.fromPretrained(source, { backend, signal: controller.signal });
      await expect(loading).rejects.toMatchObject({ code: 'ABORTED' });
      expect(backend.memory()).toEqual(before);
    }
    const aborted = MambaLM.fromPretrained(base, { backend, signal: AbortSignal.abort() });
    await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' });
  });

  it('leaves nothing when a tensor cannot be read or uploaded', async () => {
    const base = await files();
    const weights = base['model.safetensors'] as Uint8Array;
    const before = backend.memory();
    const inner = await openCheckpoint(base);
    let reads = 0;
    const source: Source = Object.create(inner.source, {
      read: {
        value: async (...args: Parameters<Source['read']>) => {
          if (reads++ === 9) throw new Error('network');
          return inner.source.read(...args);
        },
      },
    });
    await expect(MambaLM.fromPretrained(source, { backend })).rejects.toThrow('network');
    const truncated = { ...base, 'model.safetensors': weights.slice(0, weights.length - 8) };
    await expect(load(truncated)).rejects.toMatchObject({ code: 'CHECKPOINT_FORMAT' });
    expect(backend.memory()).toEqual(before);
  });
});

describe('a state of a saved model', () => {
  it('fits it again, not another one, nor the same after training', async () => {
    const lm = await MambaLM.create(config, { backend, seed: 6 });
    const state = lm.createState();
    (await lm.prefill(ids, state)).logits.dispose();
    const bytes = await state.save();
    const again = await load(await lm.encode());
    const back = await again.restoreState(bytes);
    expect(await take(again.step([1], back).logits)).toEqual(await take(lm.step([1], state).logits));

    const stranger = await MambaLM.create(config, { backend, seed: 7 });
    const before = backend.memory();
    await expect(stranger.restoreState(bytes)).rejects.toMatchObject({
      code: 'CHECKPOINT_FORMAT',
      details: { reason: 'model' },
    });
    await expect(lm.restoreState(bytes.slice(0, 100))).rejects.toMatchObject({
      details: { reason: 'truncated' },
    });
    expect(backend.memory()).toEqual(before);

    // One optimiser step makes it another model.
    const fingerprint = await lm.fingerprint();
    const param = lm.parameters().get(`${mixer}in_proj.weight`)!;
    const [m, v] = [backend.zeros(param.shape), backend.zeros(param.shape)];
    const grad = backend.ops.fill({ shape: param.shape, value: 1 });
    const rates = { lr: 0.01, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0 };
    backend.ops.adamW({ param, grad, m, v, step: 1, ...rates });
    lm.parametersChanged();
    expect(await lm.fingerprint()).not.toBe(fingerprint);
    await expect(lm.restoreState(bytes)).rejects.toMatchObject({ details: { reason: 'model' } });
    // And what is saved of it then is that model.
    expect(await (await load(await lm.encode())).fingerprint()).toBe(await lm.fingerprint());
  });

  it('moves between types of activations', async () => {
    const lm = await MambaLM.create(config, { backend, seed: 8 });
    const wide = await load(await lm.encode(), 'f64');
    const state = wide.createState();
    (await wide.prefill(ids, state)).logits.dispose();
    const back = await lm.restoreState(await state.save());
    const [got, want] = [lm.step([1], back).logits, wide.step([1], state).logits];
    expect(got.dtype).toBe('f32');
    const reference = await take(want);
    for (const [i, value] of (await take(got)).entries()) expect(value).toBeCloseTo(reference[i]!, 5);
  });
});
