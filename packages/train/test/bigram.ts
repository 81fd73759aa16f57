import type { Backend, Ops, Tensor } from '@mamba-ts/backend';
import { Random } from '@mamba-ts/ssm';
import type { Trainable } from '../src/index.js';

/** The smallest model that a trainer takes: logits of the next token from the present one. No state, no mixer. */
export class Bigram implements Trainable {
  readonly backend: Backend;
  readonly noDecay = new Set(['head']);
  changes = 0;
  readonly #parameters: ReadonlyMap<string, Tensor>;

  constructor(backend: Backend, vocabSize: number, width: number, dtype: 'f32' | 'f64' = 'f64', seed = 1) {
    this.backend = backend;
    const random = new Random(seed);
    const make = () =>
      backend.tensor(
        Float64Array.from({ length: vocabSize * width }, () => 0.5 * random.normal()),
        [vocabSize, width],
        dtype,
      );
    this.#parameters = new Map([
      ['embedding', make()],
      ['head', make()],
    ]);
  }

  parameters(): ReadonlyMap<string, Tensor> {
    return this.#parameters;
  }

  parametersChanged(): void {
    this.changes++;
  }

  forward(ids: number[][], { ops = this.backend.ops }: { ops?: Ops } = {}): { logits: Tensor } {
    const shape = [ids.length, ids[0]!.length];
    const x = ops.embedding({
      ids: this.backend.tensor(Int32Array.from(ids.flat()), shape, 'i32'),
      weight: this.#parameters.get('embedding')!,
    });
    return { logits: ops.linear({ x, weight: this.#parameters.get('head')! }) };
  }
}
