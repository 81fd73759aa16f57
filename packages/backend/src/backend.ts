import type { OpName, Ops, OptionalOpName, OptionalOps } from './ops.js';
import type { DType, Tensor, TensorSource } from './tensor.js';

/** What lives on a backend now. Tests prove with it that nothing leaks. */
export interface MemoryUse {
  /** Tensors that are not disposed. */
  readonly tensors: number;
  /** Bytes that they hold. */
  readonly bytes: number;
}

/**
 * Work that was enqueued once and can be enqueued again: the same ops on the same memory, without a check or an allocation.
 * For a decoding step, whose shapes never change.
 */
export interface Capture<T> {
  /** What the captured function returned: tensors that every replay overwrites. */
  readonly result: T;
  /** Enqueues the work again. Its inputs are changed with `Backend.write`. After `dispose`, nothing. */
  replay(): void;
  /** Gives the memory between the ops back. Idempotent. The tensors of `result` are the caller's to dispose. */
  dispose(): void;
}

/** What a caller needs of an op, for `Backend.supports`. */
export interface OpNeed {
  /** Type of the activations. */
  readonly dtype?: DType;
  /** Type of the weight of `linear` and `embedding`, of the projections of `mambaStep`. */
  readonly weight?: DType;
  /** Complex A. */
  readonly complex?: boolean;
}

/**
 * A device that computes. Made by an async factory (`createCpuBackend`, `createWasmBackend`, ...).
 *
 * Everything but reading back (`Tensor.data`) and `dispose` is synchronous: an op checks its shapes, allocates its results,
 * enqueues the work and returns.
 */
export interface Backend {
  /** `cpu`, `wasm`, `webgpu`, `cuda`, or a stranger's name. */
  readonly name: string;
  /** One line for people: device, threads, features. */
  readonly description: string;
  readonly ops: Ops & Partial<OptionalOps>;
  /** Optional. Whether ops return before they have run: it then pays to call more of them before the results of the first are read. */
  readonly deferred?: boolean;

  /**
   * Uploads a copy of `data`. `dtype` is `f32` unless said. Numbers are rounded to f16 and bf16 and quantised to int8
   * here; a Uint16Array given for f16 or bf16 is taken as raw bits.
   * Throws `SHAPE` (count), `DTYPE` (not on this backend), `OUT_OF_MEMORY`, `DISPOSED`.
   */
  tensor(data: TensorSource, shape: readonly number[], dtype?: DType): Tensor;

  /** A tensor of zeros; `dtype` is `f32` unless said. */
  zeros(shape: readonly number[], dtype?: DType): Tensor;

  /** Whether `ops[op]` runs here with what the caller needs. */
  supports(op: OpName | OptionalOpName, need?: OpNeed): boolean;

  /**
   * Runs `run` and frees every tensor made inside but those in what it returns (a tensor, or plain objects, arrays and
   * Maps of tensors to any depth), and every one of them if it throws. Scopes nest. `run` must be synchronous: a
   * promise as the result is an `INVALID_ARGUMENT`.
   */
  scope<T>(run: () => T): T;

  /**
   * Optional, together with `write`. Runs `run` as `scope` does, and keeps what it enqueued. Everything that `run` reads must
   * exist before it, and its inputs, weights and states live as long as the capture is replayed; states change in place.
   * Nothing may be read inside. What other ops make of these tensors is theirs, as always: a replay does not change it,
   * nor what a read that was started before will give.
   */
  capture?<T>(run: () => T): Capture<T>;

  /**
   * Optional. Overwrites the values of a tensor, in place: with numbers, or with those of another tensor of its type and count,
   * which then never leave the device. Ordered like an op. Throws `SHAPE`, `DTYPE`, `DISPOSED`.
   */
  write?(tensor: Tensor, source: TensorSource | Tensor): void;

  memory(): MemoryUse;

  /** Frees everything. Idempotent. Later calls throw `DISPOSED`, but for the questions, `supports` and `memory`. */
  dispose(): Promise<void>;
}
