import type { Command } from './engine.js';
import type { Gpu } from './gpu.js';
import type { Loan } from './pool.js';

/**
 * Work that was enqueued once and can be enqueued again: the same kernels on the same buffers, without a check, an allocation
 * or a bind group. For a decoding step, whose shapes never change.
 */
export interface Capture<T> {
  /** What the captured function returned: tensors that every replay overwrites. */
  readonly result: T;
  /** Enqueues the work again. Inputs are changed with `backend.write`. */
  replay(): void;
  /** Gives the buffers back. Idempotent. The tensors of `result` are the caller's to dispose. */
  dispose(): void;
}

/** Runs `run`, as `scope` does, and records what it enqueues. Uploads inside it are not recorded. */
export function capture<T>(gpu: Gpu, run: () => T): Capture<T> {
  const { engine } = gpu;
  const recording = { commands: [] as Command[], pinned: new Set<Loan>() };
  engine.recording = recording;
  let result: T;
  try {
    result = gpu.ledger.scope(run);
  } catch (error) {
    unpin(gpu, recording.pinned);
    throw error;
  } finally {
    engine.recording = undefined;
  }
  let disposed = false;
  return {
    result,
    replay() {
      engine.errors.check();
      if (!disposed) engine.replay(recording.commands, recording.pinned);
    },
    dispose() {
      if (disposed) return;
      disposed = true;
      unpin(gpu, recording.pinned);
    },
  };
}

function unpin({ engine: { pool } }: Gpu, pinned: Set<Loan>): void {
  for (const loan of pinned) pool.unpin(loan);
}
