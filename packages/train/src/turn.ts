/**
 * Lets the event loop turn once, so that an abort or a repaint gets its chance on a backend that computes synchronously.
 * (Awaiting `data()` there does not: a resolved promise is a microtask.)
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve);
    else setTimeout(resolve);
  });
}
