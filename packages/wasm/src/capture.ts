import { type Capture, MambaError, tensorsIn } from '@mamba-ts/backend';
import type { Pin } from './heap.js';
import { JOB_BYTES } from './layout.js';
import { copyInto } from './ops/split-concat.js';
import type { Job, Runtime } from './runtime.js';
import type { Place, WasmTensor } from './tensor.js';

/** What a function ran, to be run again as it was. */
export class Recording {
  readonly jobs: Job[] = [];
  /** What JavaScript looks at before the jobs run. */
  readonly checks: (() => void)[] = [];
  readonly made = new Set<WasmTensor>();
  readonly pins: Pin[] = [];
  readonly #touched = new Map<WasmTensor, Place>();
  #isSpoilt = false;
  /** `Runtime.moves` when the tensors were looked at last. */
  #moves = -1;

  /** A tensor whose address is in the jobs. Those made while recording do not count, unless one stays: it is a result. */
  touch(tensor: WasmTensor, place: Place, stays = false): void {
    if (this.made.has(tensor) && !stays) return;
    const before = this.#touched.get(tensor);
    if (before !== undefined && before !== place) this.#isSpoilt = true;
    this.#touched.set(tensor, place);
    tensor.isRecorded = true;
  }

  /** JavaScript computes with values: the jobs are not all that happens. */
  spoil(): void {
    this.#isSpoilt = true;
  }

  /** Whether the jobs still do what the function would, after so many `moves`. */
  isCurrent(moves: number): boolean {
    if (moves !== this.#moves) {
      this.#moves = moves;
      for (const [tensor, place] of this.#touched) if (!tensor.isIn(place)) this.#isSpoilt = true;
    }
    return !this.#isSpoilt;
  }
}

/** Bytes of its jobs, and one more: Runtime.write. */
function bytesOf({ jobs }: Recording): number {
  return JOB_BYTES * (jobs.length + 1);
}

/**
 * Runs `run` and records its jobs; a replay runs them without any JavaScript in between. Where the record does not say it all (an
 * op that computes in JavaScript, a weight that was moved since), the function itself runs again, and is recorded again.
 */
export function capture<T>(runtime: Runtime, run: () => T): Capture<T> {
  const { heap, ledger } = runtime;
  if (runtime.recording) throw new MambaError('INVALID_ARGUMENT', 'capture: there is one inside another');
  let recording = new Recording();
  let program = 0;
  let disposed = false;

  const record = <R>(use: () => R): R => {
    runtime.recording = recording;
    try {
      return heap.pinning(recording.pins, () => ledger.scope(use));
    } catch (error) {
      heap.unpin(recording.pins);
      recording = new Recording();
      recording.spoil();
      throw error;
    } finally {
      runtime.recording = undefined;
    }
  };
  const free = () => {
    heap.unpin(recording.pins);
    if (program !== 0) heap.free(program, bytesOf(recording));
    program = 0;
  };

  const result = record(run);
  const results = [...tensorsIn(result)] as WasmTensor[];
  for (const tensor of results) recording.touch(tensor, tensor.place, true);
  return {
    result,
    replay() {
      runtime.checkAlive('replay');
      if (disposed) return;
      if (!recording.isCurrent(runtime.moves)) {
        free();
        recording = new Recording();
        record(() => {
          const again = [...tensorsIn(run())] as WasmTensor[];
          for (const [i, tensor] of again.entries()) {
            const to = results[i];
            if (to !== tensor && !to.disposed) copyInto(runtime, tensor, to);
          }
        });
        return;
      }
      for (const check of recording.checks) check();
      if (program === 0) {
        program = heap.allocate(bytesOf(recording));
        runtime.write(recording.jobs, program);
      }
      runtime.replay(recording.jobs, program);
    },
    dispose() {
      if (disposed) return;
      disposed = true;
      free();
    },
  };
}
