import type { OpName, Ops, OptionalOpName, OptionalOps } from './ops.js';
import type { DType, Tensor, TensorSource } from './tensor.js';

/** What lives on a backend now. Tests prove with it that nothing leaks. */
export interface MemoryUse {
  /** Tensors that are not disposed. */
  readonly tensors: number;
  /** Bytes that they hold. */
  readonly bytes: number;
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

  memory(): MemoryUse;

  /** Frees everything. Idempotent. Later calls throw `DISPOSED`, but for the questions, `supports` and `memory`. */
  dispose(): Promise<void>;
}
