import type { Capture } from '@mamba-ts/backend';
import type { Command } from './engine.js';
import type { Gpu } from './gpu.js';
import type { Loan } from './pool.js';

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
