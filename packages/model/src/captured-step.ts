import type { Backend, Capture, Tensor } from '@mamba-ts/backend';
import type { MambaState } from './state/state.js';

/** A backend that records a decoding step once and replays it. */
export type CapturingBackend = Backend & Required<Pick<Backend, 'capture' | 'write'>>;

export function canCapture(backend: Backend): backend is CapturingBackend {
  return backend.capture !== undefined && backend.write !== undefined;
}

/**
 * One token into a state, recorded: what a run leaves in `result` is overwritten by the next one. Bound to the tensors of the
 * state as they are.
 */
export class CapturedStep<T extends Readonly<Record<string, Tensor>>> {
  readonly #capture: Capture<T>;
  readonly #state: MambaState;
  readonly #isCurrent: () => boolean;
  readonly #onDispose: () => void;
  #disposed = false;

  /** Runs it for the first time. `isCurrent`: the weights are still those that it was recorded with. */
  constructor(
    backend: CapturingBackend,
    state: MambaState,
    step: () => T,
    isCurrent: () => boolean,
    onDispose: () => void,
  ) {
    this.#capture = backend.capture(step);
    this.#state = state;
    this.#isCurrent = isCurrent;
    this.#onDispose = onDispose;
    state.advance(1);
  }

  get result(): T {
    return this.#capture.result;
  }

  /** False once it was disposed, parameters changed, or a scope of the caller's freed what it needs. */
  get usable(): boolean {
    const gone = Object.values(this.result).some((tensor) => tensor.disposed);
    return !this.#disposed && !gone && this.#isCurrent();
  }

  run(): void {
    this.#capture.replay();
    this.#state.advance(1);
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#capture.dispose();
    for (const tensor of Object.values(this.result)) tensor.dispose();
    this.#onDispose();
  }
}
