/** Milliseconds of running before what counts: an engine optimises what it saw run, in the background. */
const WARM_UP = 500;

/** Seconds of the median of `runs` runs, after some that are not counted. */
export async function medianSeconds(runs: number, run: () => Promise<void> | void): Promise<number> {
  const warm = performance.now() + WARM_UP;
  do await run();
  while (performance.now() < warm);
  const seconds: number[] = [];
  for (let i = 0; i < runs; i++) {
    const start = performance.now();
    await run();
    seconds.push((performance.now() - start) / 1e3);
  }
  return seconds.sort((a, b) => a - b)[runs >> 1];
}
