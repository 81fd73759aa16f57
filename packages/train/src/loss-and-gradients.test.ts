import type { Backend } from '@mamba-ts/backend';
import { fixture, fixtureFolder } from '@mamba-ts/conformance';
import { createCpuBackend } from '@mamba-ts/cpu';
import { MambaLM } from '@mamba-ts/model';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Bigram } from '../test/bigram.js';
import { differentiate, lossAndGradients } from './loss-and-gradients.js';

let backend: Backend;
beforeEach(async () => {
  backend = await createCpuBackend();
});
afterEach(() => backend.dispose());

const code = (code: string) => expect.objectContaining({ code });

/** max|a - b| / max|b| */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < b.length; i++) {
    difference = Math.max(difference, Math.abs(a[i]! - b[i]!));
    largest = Math.max(largest, Math.abs(b[i]!));
  }
  return difference / largest;
}

async function tinyMamba() {
  const { tensors } = await fixture('tiny-mamba');
  const { data, shape } = tensors.get('inputIds')!;
  const [rows, length] = shape as [number, number];
  const ids = Array.from({ length: rows }, (_, r) => Array.from(data.subarray(r * length, (r + 1) * length)));
  return { tensors, ids };
}

describe('lossAndGradients', () => {
  it.each([
    ['f64', 'tiny-mamba', 1e-11],
    ['f64', 'tiny-mamba-hf', 1e-11],
    ['f32', 'tiny-mamba', 5e-5],
  ] as const)('agrees with the official code in %s (%s)', async (dtype, folder, tolerance) => {
    const { tensors, ids } = await tinyMamba();
    const lm = await MambaLM.fromPretrained(fixtureFolder(folder).href, { backend, dtype });
    const before = backend.memory();
    const { loss, grads } = await lossAndGradients(lm, ids);
    expect(distance([loss], tensors.get('loss')!.data)).toBeLessThan(tolerance);
    expect([...grads.keys()]).toEqual([...lm.parameters().keys()]);
    let bytes = 0;
    for (const [name, gradient] of grads) {
      const expected = tensors.get(`grads.${name}`)!;
      expect(distance(await gradient.data(), expected.data), name).toBeLessThan(tolerance);
      expect(gradient.shape).toEqual(lm.parameters().get(name)!.shape);
      bytes += expected.data.length * (dtype === 'f64' ? 8 : 4);
    }
    expect(backend.memory()).toEqual({ tensors: before.tensors + grads.size, bytes: before.bytes + bytes });
    for (const gradient of grads.values()) gradient.dispose();
    expect(backend.memory()).toEqual(before);
  });

  it('is the cross-entropy of all but the last position, for one row and for many', async () => {
    const model = new Bigram(backend, 7, 3);
    const rows = [
      [1, 2, 3, 1],
      [6, 0, 0, 5],
    ];
    const { logits } = model.forward(rows);
    const values = await logits.data();
    const nats = rows.map((row, r) =>
      row.slice(1).map((target, t) => {
        const at = Array.from(values.subarray((r * 4 + t) * 7, (r * 4 + t + 1) * 7));
        return Math.log(at.reduce((sum, x) => sum + Math.exp(x), 0)) - at[target]!;
      }),
    );
    const mean = (x: number[]) => x.reduce((a, b) => a + b, 0) / x.length;
    expect((await lossAndGradients(model, rows)).loss).toBeCloseTo(mean(nats.flat()), 12);
    expect((await lossAndGradients(model, rows[1]!)).loss).toBeCloseTo(mean(nats[1]!), 12);
  });

  it('scales the gradients, not the loss', async () => {
    const model = new Bigram(backend, 7, 3);
    const batch = { ids: [[1, 2, 3]], targets: [[2, -100, 1]] };
    const [whole, half] = [differentiate(model, batch), differentiate(model, batch, 0.5)];
    expect(await half.loss.data()).toEqual(await whole.loss.data());
    for (const [name, gradient] of whole.grads) {
      expect(await half.grads.get(name)!.data()).toEqual((await gradient.data()).map((x) => x / 2));
    }
  });

  it('refuses rows that are too short or unequal, and weights that cannot be trained', async () => {
    const model = new Bigram(backend, 7, 3);
    await expect(lossAndGradients(model, [[1], [2]])).rejects.toEqual(code('SHAPE'));
    await expect(lossAndGradients(model, [])).rejects.toEqual(code('SHAPE'));
    await expect(
      lossAndGradients(model, [
        [1, 2, 3],
        [1, 2],
      ]),
    ).rejects.toEqual(code('SHAPE'));
    const half = new (class extends Bigram {
      override parameters() {
        return new Map([['head', backend.tensor([1, 2], [2], 'f16')]]);
      }
    })(backend, 7, 3);
    await expect(lossAndGradients(half, [1, 2])).rejects.toEqual(
      expect.objectContaining({ code: 'DTYPE', message: expect.stringContaining('head is f16') }),
    );
  });

  it('leaves nothing behind when the forward fails', async () => {
    const model = new Bigram(backend, 7, 3);
    const before = backend.memory();
    await expect(lossAndGradients(model, [1, 99])).rejects.toThrow();
    expect(backend.memory()).toEqual(before);
  });
});
