import { createCpuBackend } from '@mamba-ts/cpu';
import { describe, expect, test } from 'vitest';
import { far, noGpu, numbers, webgpu } from '../../test/backends.js';
import { expectCode } from '../../test/expect-code.js';

const [V, D] = [90, 84];

describe.skipIf(noGpu)('a table larger than one binding', () => {
  // A binding holds 18 rows in f32, 34 in f16 and bf16, 64 in int8.
  const small = { maxBufferBytes: 6144 };

  test.each(['f32', 'f16', 'bf16', 'int8'] as const)('%s: upload and read', async (dtype) => {
    const backend = await webgpu(small);
    const whole = await webgpu();
    const data = numbers(V * D);
    const table = backend.tensor(data, [V, D], dtype);
    expect(await table.data()).toEqual(await whole.tensor(data, [V, D], dtype).data());
    expect(await backend.ops.copy({ x: table }).data()).toEqual(await table.data());
    table.dispose();
  });

  test.each(['f32', 'f16', 'int8'] as const)('%s: embedding and tied head, as on cpu', async (dtype) => {
    const backend = await webgpu(small);
    const cpu = await createCpuBackend();
    const data = numbers(V * D);
    for (const rows of [1, 3, 17]) {
      const ids = Int32Array.from({ length: rows }, (_, i) => (i * 37 + 89) % V);
      const bias = numbers(V, 3);
      const run = async (b: typeof cpu | typeof backend) => {
        const weight = b.tensor(data, [V, D], dtype);
        const x = b.ops.embedding({ ids: b.tensor(ids, [rows], 'i32'), weight });
        const logits = b.ops.linear({ x, weight, bias: b.tensor(bias, [V]) });
        return { x: await x.data(), logits: await logits.data() };
      };
      const [got, want] = [await run(backend), await run(cpu)];
      expect(got.x).toEqual(want.x);
      expect(far(got.logits, want.logits)).toBeLessThan(1e-5);
    }
  });

  test('gradients and optimiser, as without the limit', async () => {
    const [cut, whole] = [await webgpu(small), await webgpu()];
    const run = async (b: typeof cut) => {
      const weight = b.tensor(numbers(V * D), [V, D]);
      const ids = b.tensor([89, 0, 17, 18, 89, 1], [6], 'i32');
      const x = b.ops.embedding({ ids, weight });
      const dy = b.tensor(numbers(6 * V, 2), [6, V]);
      const head = b.ops.linearBackward({ x, weight, bias: b.zeros([V]) }, { dy });
      const table = b.ops.embeddingBackward({ ids, weight }, { dy: head.dx });
      const grad = b.ops.add({ a: head.dweight, b: table.dweight });
      const norm = b.ops.gradNorm({ grads: [grad, head.dbias!] });
      const [m, v] = [b.zeros([V, D]), b.zeros([V, D])];
      const step = { step: 1, lr: 0.1, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1 };
      b.ops.adamW({ param: weight, grad, m, v, norm, maxNorm: 1, ...step });
      const read = [head.dx, head.dbias!, grad, norm, weight, m, v];
      return Promise.all(read.map(async (tensor) => [...(await tensor.data())]));
    };
    const [a, b] = [await run(cut), await run(whole)];
    for (const [i, values] of a.entries())
      for (const [j, value] of values.entries()) expect(value).toBeCloseTo(b[i]![j]!, 5);
  });

  test('where only weights may be cut, the message has both figures', async () => {
    const backend = await webgpu(small);
    const x = backend.zeros([V, D]);
    const error = expectCode('OUT_OF_MEMORY', () =>
      backend.ops.rmsNorm({ x, weight: backend.zeros([D]), eps: 1e-5 }),
    );
    expect(error.details['limit']).toBe(6144);
    expect(error.details['bytes']).toBeGreaterThan(6144);
    expect(backend.memory().tensors).toBe(2);
  });
});
