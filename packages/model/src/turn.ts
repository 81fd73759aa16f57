/**
 * Lets the event loop turn once: timers, input and `AbortController.abort` get their chance between two chunks or tokens,
 * which on a backend that computes synchronously they otherwise would not.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve);
    else {
      // A browser's setTimeout waits 4 ms after a few calls; a message does not.
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        port1.close();
        resolve();
      };
      port2.postMessage(undefined);
    }
  });
}

/** Milliseconds of tokens until the event loop gets its turn, which costs a tenth of a small model's token. */
const PATIENCE = 5;

/** The same between tokens, but only when the last turn is a while ago. */
export class Turns {
  #last = performance.now();

  async pass(): Promise<void> {
    if (performance.now() - this.#last < PATIENCE) return;
    await nextTurn();
    this.#last = performance.now();
  }
}
