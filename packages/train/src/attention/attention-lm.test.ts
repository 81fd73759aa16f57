import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Backend, Tensor } from '@mamba-ts/backend';
import { createCpuBackend } from '@mamba-ts/cpu';
import { Random } from '@mamba-ts/ssm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { differentiate } from '../loss-and-gradients.js';
import { inductionHeads } from '../tasks/induction-heads.js';
import { syntheticTask } from '../tasks/synthetic.js';
import { Trainer } from '../trainer.js';
import { AttentionLM } from './attention-lm.js';
import { attentionConstants, causalAttention } from './causal-attention.js';

let backend: Backend;
beforeEach(async () => {
  backend = await createCpuBackend();
});
afterEach(async () => {
  expect(backend.memory().tensors).toBe(0);
  await backend.dispose();
});

const code = (code: string) => expect.objectContaining({ code });

/** The definition, head by head: softmax over s <= t of 3 sqrt(d) times the cosine of q_t and k_s, on turned q and k. */
function naive(x: number[][], weights: Record<'q' | 'k' | 'v' | 'out', number[][]>, heads: number) {
  const dot = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
  const project = (matrix: number[][]) => x.map((row) => matrix.map((weight) => dot(weight, row)));
  const width = x[0]!.length;
  const size = width / heads;
  const turn = (rows: number[][]) =>
    rows.map((row, t) =>
      row.map((value, c) => {
        const [head, i] = [c - (c % size), c % (size / 2)];
        const angle = t / 10_000 ** ((2 * i) / size);
        const other = c % size < size / 2 ? -row[head + i + size / 2]! : row[head + i]!;
        return value * Math.cos(angle) + other * Math.sin(angle);
      }),
    );
  const [q, k, v] = [turn(project(weights.q)), turn(project(weights.k)), project(weights.v)];
  const mixed = x.map((_, t) => {
    const out: number[] = [];
    for (let head = 0; head < width; head += size) {
      const part = (row: number[]) => row.slice(head, head + size);
      const length = (row: number[]) => Math.sqrt(dot(row, row));
      const cosine = (a: number[], b: number[]) => dot(a, b) / (length(a) * length(b));
      const exps = k
        .slice(0, t + 1)
        .map((key) => Math.exp(3 * Math.sqrt(size) * cosine(part(q[t]!), part(key))));
      const total = exps.reduce((a, b) => a + b);
      for (let c = head; c < head + size; c++) {
        out.push(exps.reduce((sum, e, s) => sum + (e / total) * v[s]![c]!, 0));
      }
    }
    return out;
  });
  return mixed.map((row) => weights.out.map((weight) => dot(weight, row)));
}

describe('causalAttention', () => {
  it.each([
    ['one head', 1, 0.5],
    ['three heads', 3, 0.5],
    ['weights that would overflow exp without the norms', 3, 30],
  ])('is the definition: %s', async (_, heads, scale) => {
    const random = new Random(3);
    const [length, width] = [7, 12];
    const size = width / heads;
    const matrix = (rows: number, scale = 0.5) =>
      Array.from({ length: rows }, () => Array.from({ length: width }, () => scale * random.normal()));
    const x = matrix(length);
    const weights = {
      q: matrix(width, scale),
      k: matrix(width, scale),
      v: matrix(width),
      out: matrix(width),
    };
    const y = backend.scope(() => {
      const upload = (rows: number[][]) => backend.tensor(rows.flat(), [rows.length, width], 'f64');
      const uploaded = {
        q: upload(weights.q),
        k: upload(weights.k),
        v: upload(weights.v),
        out: upload(weights.out),
        qNorm: backend.ops.fill({ shape: [size], value: 1.5 * size ** -0.25, dtype: 'f64' }),
        kNorm: backend.ops.fill({ shape: [size], value: 2 * size ** -0.25, dtype: 'f64' }),
      };
      const constants = attentionConstants(backend, length, width, size, 'f64');
      return causalAttention(backend.ops, (run) => backend.scope(run), upload(x), uploaded, constants);
    });
    const expected = naive(x, weights, heads).flat();
    const largest = Math.max(...expected.map(Math.abs));
    [...(await y.data())].forEach((value, i) => {
      expect(Math.abs(value - expected[i]!) / largest).toBeLessThan(1e-5);
    });
    y.dispose();
  });
});

/** Adds `by` times a direction, in place: AdamW does it where eps is far above the gradient and the moments forget at once. */
function shift(backend: Backend, param: Tensor, direction: Float64Array, by: number): void {
  const eps = 1e9;
  backend.scope(() =>
    backend.ops.adamW({
      param,
      grad: backend.tensor(
        direction.map((value) => -Math.sign(by) * value),
        param.shape,
        'f64',
      ),
      m: backend.zeros(param.shape, 'f64'),
      v: backend.zeros(param.shape, 'f64'),
      step: 1,
      lr: Math.abs(by) * eps,
      beta1: 0,
      beta2: 0,
      eps,
      weightDecay: 0,
    }),
  );
}

describe('AttentionLM', () => {
  const config = { dModel: 8, nLayer: 2, heads: 2, vocabSize: 5, mlpWidth: 6 };
  const ids = [
    [0, 1, 2, 3, 4, 0],
    [4, 4, 1, 0, 2, 3],
  ];

  it('gives logits [B, L, V]; a row is what it is alone, and knows nothing of what comes later', async () => {
    const model = AttentionLM.create(config, { backend, seed: 1, dtype: 'f64' });
    const run = async (rows: number[][]) => {
      const { logits } = model.forward(rows);
      const values = [...(await logits.data())];
      const { shape } = logits;
      logits.dispose();
      return { shape, values };
    };
    const both = await run(ids);
    expect(both.shape).toEqual([2, 6, 5]);
    expect((await run([ids[1]!])).values).toEqual(both.values.slice(30));
    const changed = await run([[...ids[0]!.slice(0, 4), 1, 1], ids[1]!]);
    expect(changed.values.slice(0, 4 * 5)).toEqual(both.values.slice(0, 4 * 5));
    expect(changed.values.slice(4 * 5, 30)).not.toEqual(both.values.slice(4 * 5, 30));
    model.dispose();
  });

  it('has the gradients of its loss', async () => {
    const model = AttentionLM.create(config, { backend, seed: 2, dtype: 'f64' });
    const batch = { ids, targets: ids.map((row) => [...row.slice(1), -100]) };
    const lossAt = async () => {
      const { loss, grads } = differentiate(model, batch);
      const [value] = await loss.data();
      for (const tensor of [loss, ...grads.values()]) tensor.dispose();
      return value!;
    };
    const { loss, grads } = differentiate(model, batch);
    expect([...grads.keys()].sort()).toEqual([...model.parameters().keys()].sort());
    const random = new Random(4);
    for (const [name, parameter] of model.parameters()) {
      const direction = Float64Array.from(await parameter.data(), () => random.normal());
      const gradient = await grads.get(name)!.data();
      const along = direction.reduce((sum, value, i) => sum + value * gradient[i]!, 0);
      const h = 1e-6;
      const move = (by: number) => shift(backend, parameter, direction, by);
      move(h);
      const above = await lossAt();
      move(-2 * h);
      const below = await lossAt();
      move(h);
      expect(Math.abs(along - (above - below) / (2 * h)), name).toBeLessThan(
        1e-6 * Math.max(1, Math.abs(along)),
      );
    }
    for (const tensor of [loss, ...grads.values()]) tensor.dispose();
    model.dispose();
  });

  it('learns induction heads', async () => {
    const task = syntheticTask(inductionHeads({ symbols: 3 }), { length: 6, batch: 8, evalSequences: 100 });
    const model = AttentionLM.create({ dModel: 16, nLayer: 2, heads: 1, vocabSize: 4 }, { backend, seed: 1 });
    const trainer = new Trainer(model, task, {
      schedule: { kind: 'constant', lr: 1e-2, warmup: 10, steps: 150 },
      seed: 1,
      weightDecay: 0,
    });
    while (trainer.step < 150) await trainer.train();
    expect((await task.evaluate(model)).tokenAccuracy).toBeGreaterThan(0.9); // chance 1 / 3
    trainer.dispose();
    model.dispose();
  });

  it('is saved and read back; other folders are refused', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mamba-ts-attention-'));
    const model = AttentionLM.create(config, { backend, seed: 1 });
    await model.save(folder);
    const back = await AttentionLM.fromFolder(folder, { backend });
    expect(back.config).toEqual(config);
    for (const [name, tensor] of model.parameters()) {
      expect(await back.parameters().get(name)!.data()).toEqual(await tensor.data());
    }
    model.dispose();
    back.dispose();
    await writeFile(join(folder, 'config.json'), '{"d_model": 8}');
    await expect(AttentionLM.fromFolder(folder, { backend })).rejects.toThrow(code('CHECKPOINT_FORMAT'));
    await rm(folder, { recursive: true });
  });

  it('refuses sizes that do not fit', () => {
    for (const change of [{ heads: 3 }, { heads: 8 }, { nLayer: 0 }, { mlpWidth: 1.5 }]) {
      expect(() => AttentionLM.create({ ...config, ...change }, { backend })).toThrow(
        code('INVALID_ARGUMENT'),
      );
    }
  });
});
