import {
  type Backend,
  isComplex,
  MambaError,
  type MaybeComplex,
  sizeOf,
  type Tensor,
} from '@mamba-ts/backend';
import type { LayerState } from '../block.js';
import { encodeState } from './format.js';

/** What a state needs of its model. */
export interface StateModel {
  readonly backend: Backend;
  fingerprint(): Promise<string>;
}

/** What holds on to the tensors of a state: freed with them. */
export interface Attached {
  dispose(): void;
}

/**
 * All that a model remembers of the tokens it has read: for each layer the last inputs of the convolution and the state of
 * the scan. Its size does not depend on how many tokens those were.
 *
 * A value: `prefill`, `step` and `generate` move it forward; a fork or a saved copy does not move with it. Made by
 * `MambaLM.createState` and `MambaLM.restoreState`; free it with `dispose`.
 */
export class MambaState {
  /** Sequences that advance together. */
  readonly batch: number;
  readonly #model: StateModel;
  #layers: readonly LayerState[];
  #position: number;
  #attached: Attached | undefined;
  #user: string | undefined;
  #disposed = false;

  /** Not for callers: takes over `layers`. */
  constructor(model: StateModel, layers: readonly LayerState[], batch: number, position: number) {
    this.#model = model;
    this.#layers = layers;
    this.batch = batch;
    this.#position = position;
  }

  /** Tokens read so far (where rows of a batch have read unequally many: the most). */
  get position(): number {
    return this.#position;
  }

  /** Bytes that it holds on the backend. */
  get bytes(): number {
    return this.#tensors().reduce(
      (sum, tensor) => sum + sizeOf(tensor.shape) * (tensor.dtype === 'f64' ? 8 : 4),
      0,
    );
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** The tensors, one pair a layer: conv [B, dConv - 1, dInner], ssm [B, dInner, N]. They change with the next token: read, do not keep. */
  get layers(): readonly LayerState[] {
    this.#check('layers');
    return this.#layers;
  }

  /** An independent copy. */
  fork(): MambaState {
    this.#check('fork');
    const { ops } = this.#model.backend;
    const layers = this.#model.backend.scope(() =>
      this.#layers.map(({ conv, ssm }) => ({
        conv: ops.copy({ x: conv }),
        ssm: mapComplex(ssm, (x) => ops.copy({ x })),
      })),
    );
    return new MambaState(this.#model, layers, this.batch, this.#position);
  }

  /** The state as bytes, for `restoreState` on this or any other backend. */
  async save(): Promise<Uint8Array> {
    this.#check('save');
    return this.exclusive('save', async () =>
      encodeState({
        model: await this.#model.fingerprint(),
        position: this.#position,
        batch: this.batch,
        arrays: (await Promise.all(this.#tensors().map((tensor) => tensor.data()))) as Float32Array[],
      }),
    );
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.attach(undefined);
    for (const tensor of this.#tensors()) tensor.dispose();
  }

  /** Not for callers: what `attach` was given, as long as the tensors are the same. */
  get attached(): Attached | undefined {
    return this.#attached;
  }

  /** Not for callers: disposes what was attached before. */
  attach(attached: Attached | undefined): void {
    this.#attached?.dispose();
    this.#attached = attached;
  }

  /** Not for callers: puts the states after `tokens` more tokens in the place of the present ones. */
  advance(tokens: number, layers?: readonly LayerState[]): void {
    if (this.#disposed) {
      for (const tensor of (layers ?? []).flatMap(tensorsOf)) tensor.dispose();
      this.#check('state');
    }
    if (layers) {
      this.attach(undefined);
      for (const tensor of this.#tensors()) tensor.dispose();
      this.#layers = layers;
    }
    this.#position += tokens;
  }

  /** Not for callers: runs `run` while nothing else may move the state. */
  async exclusive<T>(what: string, run: () => Promise<T>): Promise<T> {
    this.claim(what);
    try {
      return await run();
    } finally {
      this.release();
    }
  }

  /** Not for callers: `release` must follow. */
  claim(what: string): void {
    this.assertFree(what);
    this.#user = what;
  }

  /** Not for callers: fails if the state is another model's. */
  assertOf(model: StateModel, what: string): void {
    if (this.#model !== model) {
      throw new MambaError(
        'INVALID_ARGUMENT',
        `${what}: the state is another model's; make one with createState, or move it with save and restoreState`,
      );
    }
  }

  /** Not for callers: fails if the state is disposed, or in the hands of a call that has not ended. */
  assertFree(what: string): void {
    this.#check(what);
    if (this.#user !== undefined) {
      throw new MambaError(
        'INVALID_ARGUMENT',
        `${what}: the state is in use by ${this.#user}, which has not ended; await it, or give each its own fork()`,
      );
    }
  }

  /** Not for callers: the end of a `claim`. */
  release(): void {
    this.#user = undefined;
  }

  #tensors(): Tensor[] {
    return this.#layers.flatMap(tensorsOf);
  }

  #check(what: string): void {
    if (this.#disposed) throw new MambaError('DISPOSED', `${what}: the state was disposed`);
  }
}

export function tensorsOf({ conv, ssm }: LayerState): Tensor[] {
  return isComplex(ssm) ? [conv, ssm.re, ssm.im] : [conv, ssm];
}

export function mapComplex(x: MaybeComplex, map: (x: Tensor) => Tensor): MaybeComplex {
  return isComplex(x) ? { re: map(x.re), im: map(x.im) } : map(x);
}
