/** Milliseconds of running before what counts: an engine optimises what it saw run, in the background. */
const WARM_UP = 500;

/** Seconds of the median of `runs` runs, after some that are not counted. */
export async function medianSeconds(runs: number, run: () => Promise<void> | void): Promise<number> {
  await warmUp(run);
  const seconds: number[] = [];
  for (let i = 0; i < runs; i++) {
    const start = performance.now();
    await run();
    seconds.push((performance.now() - start) / 1e3);
  }
  return seconds.sort((a, b) => a - b)[runs >> 1];
}

/** What a run took, and what the limit would allow it to take: its work at the rate that was measured beside it. */
export interface Timing {
  readonly seconds: number;
  readonly limit: number | undefined;
}

/**
 * The run with the median share of the limit, of `runs`. A run is `pieces` calls of `piece`, each doing `work`; before and after each one
 * `measure` says what the limit is, in work a second, and the mean of the two is taken.
 */
export async function medianAgainstLimit(
  { runs, pieces, work }: { readonly runs: number; readonly pieces: number; readonly work: number },
  measure: (() => Promise<number>) | undefined,
  piece: () => Promise<void>,
): Promise<Timing> {
  await warmUp(piece);
  const timings: Timing[] = [];
  for (let i = 0; i < runs; i++) {
    let seconds = 0;
    let limit = 0;
    let before = await measure?.();
    for (let p = 0; p < pieces; p++) {
      const start = performance.now();
      await piece();
      seconds += (performance.now() - start) / 1e3;
      const after = await measure?.();
      if (before !== undefined && after !== undefined) limit += work / ((before + after) / 2);
      before = after;
    }
    timings.push({ seconds, limit: measure && limit });
  }
  const share = ({ seconds, limit }: Timing) => (limit ?? 1) / seconds;
  return timings.sort((a, b) => share(a) - share(b))[runs >> 1];
}

async function warmUp(run: () => Promise<void> | void): Promise<void> {
  const end = performance.now() + WARM_UP;
  do await run();
  while (performance.now() < end);
}
