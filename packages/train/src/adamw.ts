import { MambaError, type Tensor } from '@mamba-ts/backend';
import type { Trainable } from './trainable.js';

export interface AdamWOptions {
  /** Default 0.9, as the paper (appendix E.2). */
  beta1?: number | undefined;
  /** Default 0.95, as the paper. */
  beta2?: number | undefined;
  /** Default 1e-8, as torch. */
  eps?: number | undefined;
  /** Decoupled: each step takes lr * weightDecay * param away. Default 0.1, as the paper. */
  weightDecay?: number | undefined;
  /** Largest norm of all gradients together; beyond it they are scaled down, as torch's clip_grad_norm_. Default 1; Infinity never clips. */
  clip?: number | undefined;
}

/**
 * AdamW (Loshchilov and Hutter, arXiv 1711.05101) over the parameters of a model, as torch computes it.
 *
 * Weight decay leaves `model.noDecay` alone: what the official code marks `_no_weight_decay`, A_log and D (and their
 * like in the other mixers). Norms and biases do decay, as they do there.
 */
export class AdamW {
  readonly #model: Trainable;
  readonly #options: Required<{ [K in keyof AdamWOptions]: number }>;
  readonly #moments = new Map<string, { m: Tensor; v: Tensor }>();

  /** @throws MambaError `INVALID_ARGUMENT` for an option outside its range */
  constructor(model: Trainable, options: AdamWOptions = {}) {
    const { beta1 = 0.9, beta2 = 0.95, eps = 1e-8, weightDecay = 0.1, clip = 1 } = options;
    this.#options = { beta1, beta2, eps, weightDecay, clip };
    for (const [name, value, good, want] of [
      ['beta1', beta1, beta1 >= 0 && beta1 < 1, 'in [0, 1)'],
      ['beta2', beta2, beta2 >= 0 && beta2 < 1, 'in [0, 1)'],
      ['eps', eps, eps > 0 && eps < 1, 'in (0, 1)'],
      ['weightDecay', weightDecay, weightDecay >= 0 && weightDecay < Infinity, 'at least 0'],
      ['clip', clip, clip > 0, 'above 0'],
    ] as const) {
      if (!good) throw new MambaError('INVALID_ARGUMENT', `AdamW: ${name} must be ${want}, not ${value}`);
    }
    this.#model = model;
    const { backend } = model;
    for (const [name, { shape, dtype }] of model.parameters()) {
      this.#moments.set(name, { m: backend.zeros(shape, dtype), v: backend.zeros(shape, dtype) });
    }
  }

  /** First and second moments by parameter. */
  get moments(): ReadonlyMap<string, { m: Tensor; v: Tensor }> {
    return this.#moments;
  }

  /**
   * Changes the parameters in place; one without gradient stays as it is.
   * @param grads by parameter name; they stay the caller's
   * @param at.step counts from 1
   * @returns the norm of all gradients, [], before clipping; the caller disposes it
   */
  step(grads: ReadonlyMap<string, Tensor>, at: { step: number; lr: number }): Tensor {
    const { ops } = this.#model.backend;
    const { beta1, beta2, eps, weightDecay, clip } = this.#options;
    const norm = ops.gradNorm({ grads: [...grads.values()] });
    for (const [name, param] of this.#model.parameters()) {
      const grad = grads.get(name);
      if (grad === undefined) continue;
      ops.adamW({
        ...at,
        ...this.#moments.get(name)!,
        param,
        grad,
        beta1,
        beta2,
        eps,
        weightDecay: this.#model.noDecay.has(name) ? 0 : weightDecay,
        ...(clip < Infinity ? { norm, maxNorm: clip } : {}),
      });
    }
    this.#model.parametersChanged?.();
    return norm;
  }

  /** Replaces the moments, as when a run is resumed. They become the optimiser's. */
  restore(moments: ReadonlyMap<string, { m: Tensor; v: Tensor }>): void {
    for (const [name, old] of this.#moments) {
      const { m, v } = moments.get(name)!;
      old.m.dispose();
      old.v.dispose();
      this.#moments.set(name, { m, v });
    }
  }

  dispose(): void {
    for (const { m, v } of this.#moments.values()) {
      m.dispose();
      v.dispose();
    }
  }
}
