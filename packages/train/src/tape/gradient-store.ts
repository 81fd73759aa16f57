import type { Ops, Tensor } from '@mamba-ts/backend';

/**
 * Gradients by tensor, while a backward pass runs. One gradient may serve several tensors (both inputs of `add` have the
 * output's), so owners are counted: a gradient is freed when its last owner goes.
 */
export class GradientStore {
  readonly #ops: Ops;
  readonly #gradients = new Map<Tensor, Tensor>();
  /** Owners of each gradient that the store must free. */
  readonly #owners = new Map<Tensor, number>();
  /** The caller's own: never freed, never given away. */
  readonly #lent = new Set<Tensor>();

  constructor(ops: Ops) {
    this.#ops = ops;
  }

  get(x: Tensor): Tensor | undefined {
    return this.#gradients.get(x);
  }

  lend(gradient: Tensor): void {
    this.#lent.add(gradient);
  }

  /** Zeros of the shape of `x`, for the present step. */
  zeros(x: Tensor): Tensor {
    const zeros = this.#ops.fill({ shape: x.shape, value: 0, dtype: x.dtype as 'f32' | 'f64' });
    this.touch(zeros);
    return zeros;
  }

  /** Takes charge of a gradient: it is freed by the next sweep unless it has an owner by then. */
  touch(gradient: Tensor): void {
    if (!this.#lent.has(gradient) && !this.#owners.has(gradient)) this.#owners.set(gradient, 0);
  }

  /** Adds to the gradient of `x`. */
  accumulate(x: Tensor, gradient: Tensor): void {
    this.touch(gradient);
    const before = this.#gradients.get(x);
    const after = before ? this.#ops.add({ a: before, b: gradient }) : gradient;
    this.release(x);
    this.touch(after);
    this.#gradients.set(x, after);
    this.#count(after, 1);
  }

  /** Forgets the gradient of `x`. */
  release(x: Tensor): void {
    const gradient = this.#gradients.get(x);
    if (gradient === undefined) return;
    this.#gradients.delete(x);
    this.#count(gradient, -1);
  }

  /** Frees what nobody owns. */
  sweep(): void {
    for (const [gradient, owners] of this.#owners) {
      if (owners > 0) continue;
      this.#owners.delete(gradient);
      gradient.dispose();
    }
  }

  /** Hands out the gradients of `wanted`, each a tensor of its own. */
  take(wanted: Iterable<Tensor>): Map<Tensor, Tensor> {
    const taken = new Map<Tensor, Tensor>();
    for (const x of wanted) {
      const gradient = this.#gradients.get(x);
      if (gradient === undefined) continue;
      const shared = this.#owners.get(gradient) !== 1;
      const own = shared ? this.#ops.copy({ x: gradient }) : gradient;
      if (shared) this.touch(own);
      taken.set(x, own);
      this.release(x);
    }
    for (const gradient of taken.values()) this.#owners.delete(gradient);
    return taken;
  }

  /** Frees everything that is still here. */
  clear(): void {
    for (const gradient of this.#owners.keys()) gradient.dispose();
    this.#owners.clear();
    this.#gradients.clear();
  }

  #count(gradient: Tensor, change: 1 | -1): void {
    const owners = this.#owners.get(gradient);
    if (owners !== undefined) this.#owners.set(gradient, owners + change);
  }
}
