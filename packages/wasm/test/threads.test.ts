import { setTimeout as sleep } from 'node:timers/promises';
import type { Backend, Tensor, TensorData } from '@mamba-ts/backend';
import { MambaLM } from '@mamba-ts/model';
import { Random } from '@mamba-ts/ssm';
import { describe, expect, test } from 'vitest';
import { createWasmBackend } from '../src/index.js';

/** A scan with its gradients, matrix products of both kinds, and a model's logits and steps: all that threads share out. */
async function everything(backend: Backend): Promise<TensorData[]> {
  const random = new Random(5);
  const signed = () => 2 * random.next() - 1;
  const tensor = (shape: number[], value = signed, dtype: 'f32' | 'f16' | 'int8' = 'f32') =>
    backend.tensor(Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, value), shape, dtype);
  const { ops } = backend;
  const [batch, length, channels, states] = [3, 150, 136, 16];
  const scan = {
    u: tensor([batch, length, channels]),
    delta: tensor([batch, length, channels]),
    A: tensor([channels, states], () => -8 * random.next()),
    B: tensor([batch, length, states]),
    C: tensor([batch, length, states]),
    D: tensor([channels]),
    z: tensor([batch, length, channels]),
    softplus: true,
  };
  const results: Tensor[] = [];
  const take = (value: object) => results.push(...(Object.values(value) as Tensor[]));
  take(ops.selectiveScan(scan));
  take(ops.selectiveScanBackward(scan, { dy: tensor([batch, length, channels]) }));
  const conv = { x: scan.u, weight: tensor([channels, 4]), activation: 'silu' } as const;
  take(ops.causalConv1d(conv));
  take(ops.causalConv1dBackward(conv, { dy: scan.z }));
  for (const dtype of ['f32', 'f16', 'int8'] as const) {
    const weight = tensor([700, 352], signed, dtype);
    for (const rows of [1, 5, 90]) {
      const x = tensor([rows, 352]);
      results.push(ops.linear({ x, weight }));
      if (dtype === 'f32') take(ops.linearBackward({ x, weight }, { dy: tensor([rows, 700]) }));
    }
  }
  const config = { dModel: 96, nLayer: 2, vocabSize: 300 } as const;
  for (const dtype of ['f32', 'int8'] as const) {
    const lm = await MambaLM.create(config, { backend, dtype, seed: 3 });
    const state = lm.createState();
    results.push((await lm.prefill([1, 2, 3, 4, 5, 6, 7, 8, 9], state)).logits);
    for (const token of [7, 250, 31]) results.push(lm.step([token], state).logits);
  }
  return Promise.all(results.map((result) => result.data()));
}

test.each([true, false])('the same bits whatever the number of threads (relaxed: %s)', async (relaxed) => {
  const run = async (threads: number) => {
    const backend = await createWasmBackend({ threads, relaxed });
    const results = await everything(backend);
    await backend.dispose();
    return results.map((data) =>
      Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64'),
    );
  };
  const one = await run(1);
  expect(one.length).toBeGreaterThan(30);
  for (const threads of [2, 3, 5]) expect(await run(threads)).toEqual(one);
});

describe('idle', () => {
  /** Processor time that the process takes while nobody asks for anything, as a share of the time that passes. */
  async function load(): Promise<number> {
    const before = process.cpuUsage();
    const start = performance.now();
    await sleep(600);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1e3 / (performance.now() - start);
  }

  test('workers sleep: before the first op, after one, and when one thread was too few to wake them', async () => {
    const backend = await createWasmBackend({ threads: 4 });
    await sleep(200);
    expect(await load()).toBeLessThan(0.2);
    const x = backend.zeros([600, 600]);
    backend.ops.linear({ x, weight: x });
    await sleep(100);
    expect(await load()).toBeLessThan(0.2);
    backend.ops.silu({ x: backend.zeros([8]) });
    expect(await load()).toBeLessThan(0.2);
    await backend.dispose();
  });

  test('and do not keep a program alive', async () => {
    const { spawnSync } = await import('node:child_process');
    const script = `
      const { createWasmBackend } = await import(${JSON.stringify(new URL('../dist/index.js', import.meta.url).href)});
      const backend = await createWasmBackend({ threads: 3 });
      const x = backend.zeros([300, 300]);
      backend.ops.linear({ x, weight: x });
      console.log('done');`;
    const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
      timeout: 20_000,
    });
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'done\n' });
  });
});
