import { throwIfAborted } from '@mamba-ts/backend';

/** Fires when either does. */
export function anySignal(a: AbortSignal | undefined, b: AbortSignal | undefined): AbortSignal | undefined {
  return a && b && a !== b ? AbortSignal.any([a, b]) : (a ?? b);
}

/**
 * The promise, or `ABORTED` as soon as the signal fires: for waits that do not know the signal themselves. What the
 * promise does later is ignored.
 */
export async function abortable<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
  what: string,
): Promise<T> {
  if (!signal) return promise;
  promise.catch(() => {});
  throwIfAborted(signal, what);
  let stop: (() => void) | undefined;
  const aborted = new Promise<void>((resolve) => {
    stop = () => resolve();
    signal.addEventListener('abort', stop);
  });
  try {
    const first = await Promise.race([promise.then((value) => ({ value })), aborted]);
    if (first) return first.value;
    throwIfAborted(signal, what);
    return await promise;
  } finally {
    signal.removeEventListener('abort', stop as () => void);
  }
}
