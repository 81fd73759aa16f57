import {
  type Backend,
  isComplex,
  MambaError,
  type Ops,
  type Tensor,
  throwIfAborted,
} from '@mamba-ts/backend';
import { CapturedStep, type CapturingBackend, canCapture } from './captured-step.js';
import type { MambaConfig } from './config/config.js';
import { uploadIds } from './ids.js';
import type { Run, ScanConstants } from './mixers/mixer.js';
import {
  forwardSequence,
  forwardStep,
  type ModelWeights,
  type SequenceOutputs,
  scanConstants,
  sortWeights,
} from './network.js';
import type { Attached, MambaState } from './state/state.js';
import { nextTurn } from './turn.js';

export type Rows = readonly ArrayLike<number>[];

/** Attached to a state that was stepped once: the next step is worth capturing. */
const STEPPED: Attached = { dispose() {} };

interface EngineSequence {
  readonly ops?: Ops | undefined;
  readonly state?: MambaState | undefined;
  readonly seqIdx?: Rows | undefined;
  readonly hidden?: boolean | undefined;
  readonly logits: 'all' | 'last' | 'none';
  /** Tokens [from, to) of each row. */
  readonly from: number;
  readonly to: number;
}

/**
 * Runs the network for `MambaLM` and for generation, which has a state claimed already: takes checked rows of tokens,
 * keeps what follows from the weights alone, and moves states along.
 */
export class Engine {
  readonly config: MambaConfig;
  readonly backend: Backend;
  /** Type of activations and states. */
  readonly dtype: 'f32' | 'f64';
  readonly #parameters: ReadonlyMap<string, Tensor>;
  readonly #weights: ModelWeights;
  #constants: readonly ScanConstants[] = [];
  /** The tensors among the constants that are not parameters. */
  #derived: readonly Tensor[] = [];
  /** Those that live: they hold on to the weights. */
  readonly #captures = new Set<Attached>();
  #disposed = false;

  constructor(
    config: MambaConfig,
    backend: Backend,
    dtype: 'f32' | 'f64',
    parameters: ReadonlyMap<string, Tensor>,
  ) {
    this.config = config;
    this.backend = backend;
    this.dtype = dtype;
    this.#parameters = parameters;
    this.#weights = sortWeights({ backend, dtype, config }, parameters);
    try {
      this.#currentConstants();
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  sequence(rows: Rows, options: EngineSequence): SequenceOutputs {
    const { ops, state, seqIdx, hidden, logits, from, to } = options;
    const run = this.#run(ops);
    const constants = ops ? scanConstants(run, this.#weights) : this.#currentConstants();
    const outputs = run.scope(() =>
      forwardSequence(run, this.#weights, constants, uploadIds(this.backend, rows, from, to), {
        states: state?.layers,
        wantStates: state !== undefined,
        seqIdx: seqIdx && uploadIds(this.backend, seqIdx, from, to),
        hidden,
        logits,
      }),
    );
    state?.advance(to - from, outputs.states);
    return outputs;
  }

  /** -> logits of the last token, [B, V] */
  async prefill(
    rows: Rows,
    state: MambaState,
    chunkSize: number,
    signal: AbortSignal | undefined,
  ): Promise<Tensor> {
    const length = rows[0]!.length;
    for (let from = 0; ; from += chunkSize) {
      throwIfAborted(signal, 'prefill');
      this.check('prefill');
      const to = Math.min(from + chunkSize, length);
      const { logits } = this.sequence(rows, { state, from, to, logits: to === length ? 'last' : 'none' });
      if (logits) return logits;
      await nextTurn();
    }
  }

  /**
   * -> logits [B, V]. Where the backend captures, the second step of a state is recorded, and later ones replay it. The record
   * goes with the state, or when something else moves it.
   */
  step(tokens: ArrayLike<number>, state: MambaState): Tensor {
    this.check('step');
    const { backend } = this;
    const ids = Int32Array.from(tokens);
    const known = state.attached;
    if (canCapture(backend) && known instanceof ReplayedStep && known.usable) return known.run(ids);
    if (canCapture(backend) && known === STEPPED) {
      const step = new ReplayedStep(this, backend, ids, state);
      state.attach(step);
      return step.logits();
    }
    const run = this.#run();
    const constants = this.#currentConstants();
    const logits = run.scope(() =>
      forwardStep(run, this.#weights, constants, backend.tensor(ids, [ids.length], 'i32'), state.layers),
    );
    state.advance(1);
    state.attach(STEPPED);
    return logits;
  }

  /**
   * Reads the tokens in `ids` [B] into the state, and records how; `then` makes of the logits what is kept. The caller
   * disposes it; the model does if it goes first.
   */
  capture<T extends Readonly<Record<string, Tensor>>>(
    backend: CapturingBackend,
    ids: Tensor,
    state: MambaState,
    then: (logits: Tensor) => T,
  ): CapturedStep<T> {
    this.check('step');
    const constants = this.#currentConstants();
    const captured: CapturedStep<T> = new CapturedStep(
      backend,
      state,
      () => then(forwardStep(this.#run(), this.#weights, constants, ids, state.layers)),
      () => constants === this.#currentConstants(),
      () => this.#captures.delete(captured),
    );
    this.#captures.add(captured);
    return captured;
  }

  check(what: string): void {
    if (this.#disposed) throw new MambaError('DISPOSED', `${what}: the model was disposed`);
  }

  parametersChanged(): void {
    for (const tensor of this.#derived) tensor.dispose();
    this.#constants = [];
    this.#derived = [];
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const captured of this.#captures) captured.dispose();
    this.parametersChanged();
    for (const tensor of this.#parameters.values()) tensor.dispose();
  }

  #run(tape?: Ops): Run {
    const { config, backend, dtype } = this;
    return {
      config,
      backend,
      dtype,
      ops: tape ?? backend.ops,
      scope: tape ? (run) => run() : (run) => backend.scope(run),
      free: tape ? () => {} : (tensor) => tensor.dispose(),
    };
  }

  /** Kept from call to call; made anew after `parametersChanged`, or if a scope of the caller's that was open then freed them. */
  #currentConstants(): readonly ScanConstants[] {
    if (this.#constants.length === 0 || this.#derived.some((tensor) => tensor.disposed)) {
      this.parametersChanged();
      const parameters = new Set(this.#parameters.values());
      this.#constants = this.backend.scope(() => scanConstants(this.#run(), this.#weights));
      this.#derived = this.#constants.flatMap(tensorsOf).filter((tensor) => !parameters.has(tensor));
    }
    return this.#constants;
  }
}

/** `Engine.step` again and again: writes the tokens, runs, and copies the logits, which are the caller's to keep. */
class ReplayedStep implements Attached {
  readonly #backend: CapturingBackend;
  readonly #ids: Tensor;
  readonly #step: CapturedStep<{ logits: Tensor }>;

  /** Runs it for the first time. */
  constructor(engine: Engine, backend: CapturingBackend, ids: Int32Array, state: MambaState) {
    this.#backend = backend;
    this.#ids = backend.tensor(ids, [ids.length], 'i32');
    try {
      this.#step = engine.capture(backend, this.#ids, state, (logits) => ({ logits }));
    } catch (error) {
      this.#ids.dispose();
      throw error;
    }
  }

  get usable(): boolean {
    return !this.#ids.disposed && this.#step.usable;
  }

  run(ids: Int32Array): Tensor {
    this.#backend.write(this.#ids, ids);
    this.#step.run();
    return this.logits();
  }

  logits(): Tensor {
    return this.#backend.ops.copy({ x: this.#step.result.logits });
  }

  dispose(): void {
    this.#step.dispose();
    this.#ids.dispose();
  }
}

function tensorsOf(constants: ScanConstants): Tensor[] {
  const { A, B, C, D, deltaBias } = constants;
  return [A, B, C, D, deltaBias].flatMap((x) => (x ? (isComplex(x) ? [x.re, x.im] : [x]) : []));
}
