import { abortable } from './abort.js';

/** Runs one body at a time for each key, in the order of the calls. */
export class Locks {
  readonly #tails = new Map<string, Promise<unknown>>();

  /** Rejects with `ABORTED`, without running the body, where the signal fires while waiting. */
  run<T>(key: string, signal: AbortSignal | undefined, what: string, body: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key) ?? Promise.resolve();
    const mine = abortable(before, signal, what).then(body);
    // Whoever comes next waits for both: an aborted wait ends before the body that it waited for.
    const tail = Promise.allSettled([before, mine]).then(() => {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    });
    this.#tails.set(key, tail);
    return mine;
  }
}
