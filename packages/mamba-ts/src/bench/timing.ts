/** Seconds of the median of `runs` runs, after one that is not counted. */
export async function medianSeconds(runs: number, run: () => Promise<void> | void): Promise<number> {
  await run();
  const seconds: number[] = [];
  for (let i = 0; i < runs; i++) {
    const start = performance.now();
    await run();
    seconds.push((performance.now() - start) / 1e3);
  }
  return seconds.sort((a, b) => a - b)[runs >> 1];
}
