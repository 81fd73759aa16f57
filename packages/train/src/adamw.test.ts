import type { Backend, Tensor } from '@mamba-ts/backend';
import { createCpuBackend } from '@mamba-ts/cpu';
import { Random } from '@mamba-ts/ssm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Bigram } from '../test/bigram.js';
import { AdamW } from './adamw.js';

let backend: Backend;
beforeEach(async () => {
  backend = await createCpuBackend();
});
afterEach(() => backend.dispose());

const [V, D] = [5, 3];
const values = async (tensor: Tensor) => Array.from(await tensor.data());

/** torch.optim.AdamW and clip_grad_norm_, one number at a time. */
class Reference {
  m = 0;
  v = 0;
  p: number;
  constructor(p: number) {
    this.p = p;
  }
  step(grad: number, t: number, lr: number, decay: number, scale: number): void {
    const g = grad * scale;
    this.p *= 1 - lr * decay;
    this.m = 0.9 * this.m + 0.1 * g;
    this.v = 0.95 * this.v + 0.05 * g * g;
    this.p -= (lr * (this.m / (1 - 0.9 ** t))) / (Math.sqrt(this.v / (1 - 0.95 ** t)) + 1e-8);
  }
}

describe('AdamW', () => {
  it.each([1, 1e6, Number.POSITIVE_INFINITY])('computes what torch computes, clipped at %d', async (clip) => {
    const model = new Bigram(backend, V, D);
    const references = new Map<string, Reference[]>();
    for (const [name, tensor] of model.parameters()) {
      references.set(
        name,
        (await values(tensor)).map((p) => new Reference(p)),
      );
    }
    const optimiser = new AdamW(model, { clip, weightDecay: 0.3 });
    const random = new Random(1);
    for (let step = 1; step <= 4; step++) {
      const lr = 0.1 / step;
      const grads = new Map<string, Float64Array>();
      for (const name of references.keys()) {
        grads.set(
          name,
          Float64Array.from({ length: V * D }, () => random.normal()),
        );
      }
      const norm = Math.hypot(...[...grads.values()].flatMap((g) => [...g]));
      const scale = Math.min(1, clip / (norm + 1e-6));
      const tensors = new Map([...grads].map(([name, g]) => [name, backend.tensor(g, [V, D], 'f64')]));
      const returned = optimiser.step(tensors, { step, lr });
      expect((await returned.data())[0]).toBeCloseTo(norm, 12);
      for (const [name, list] of references) {
        // `head` is the model's parameter that must not decay.
        const decay = name === 'head' ? 0 : 0.3;
        list.forEach((reference, i) => {
          reference.step(grads.get(name)![i]!, step, lr, decay, scale);
        });
        const actual = await values(model.parameters().get(name)!);
        list.forEach(({ p }, i) => {
          expect(actual[i]).toBeCloseTo(p, 12);
        });
      }
      expect(model.changes).toBe(step);
    }
  });

  it('leaves a parameter without gradient as it is', async () => {
    const model = new Bigram(backend, V, D);
    const before = await values(model.parameters().get('embedding')!);
    const grads = new Map([['head', backend.zeros([V, D], 'f64')]]);
    new AdamW(model, {}).step(grads, { step: 1, lr: 1 });
    expect(await values(model.parameters().get('embedding')!)).toEqual(before);
  });

  it('frees its moments', () => {
    const model = new Bigram(backend, V, D);
    const before = backend.memory();
    const optimiser = new AdamW(model);
    expect(backend.memory().bytes).toBe(3 * before.bytes);
    optimiser.dispose();
    expect(backend.memory()).toEqual(before);
  });

  it('refuses options outside their range', () => {
    const model = new Bigram(backend, V, D);
    const before = backend.memory();
    for (const bad of [
      { beta1: 1 },
      { beta2: -0.1 },
      { eps: 0 },
      { weightDecay: -1 },
      { weightDecay: Number.NaN },
      { clip: 0 },
    ]) {
      expect(() => new AdamW(model, bad)).toThrow(
        expect.objectContaining({
          code: 'INVALID_ARGUMENT',
          message: expect.stringContaining(Object.keys(bad)[0]!),
        }),
      );
    }
    expect(backend.memory()).toEqual(before);
  });
});
