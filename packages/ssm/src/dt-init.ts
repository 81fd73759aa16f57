import type { Random } from './random.js';

/** Options of {@link initDt}; the defaults are Mamba's. */
export interface DtInitOptions {
  /** Lower end of the range of step sizes; default 0.001. */
  dtMin?: number | undefined;
  /** Upper end; default 0.1. */
  dtMax?: number | undefined;
  /** No step size below this, whatever the range; default 0.0001. */
  floor?: number | undefined;
}

/**
 * The x with softplus(x) = log(1 + e^x) = y, as `y + log(-expm1(-y))`: exact to rounding from the smallest y to the
 * largest, where `log(expm1(y))` would overflow.
 * @throws RangeError unless y > 0
 */
export function inverseSoftplus(y: number): number {
  if (!(y > 0)) {
    throw new RangeError(`inverseSoftplus: softplus is positive, so there is no inverse at ${y}`);
  }
  return y + Math.log(-Math.expm1(-y));
}

/**
 * Step sizes Δ as Mamba initialises them, one a channel: log-uniform in [dtMin, dtMax], no smaller than `floor`.
 * (So in the official code; the paper says "uniform".)
 * @throws RangeError unless 0 < dtMin <= dtMax and floor >= 0
 */
export function initDt(channels: number, random: Random, options: DtInitOptions = {}): Float64Array {
  const { dtMin = 0.001, dtMax = 0.1, floor = 1e-4 } = options;
  if (!(dtMin > 0 && dtMin <= dtMax && Number.isFinite(dtMax))) {
    throw new RangeError(`initDt: want 0 < dtMin <= dtMax, not dtMin ${dtMin} and dtMax ${dtMax}`);
  }
  if (!(floor >= 0)) throw new RangeError(`initDt: floor must not be negative, but is ${floor}`);
  const logMin = Math.log(dtMin);
  const logRange = Math.log(dtMax) - logMin;
  return Float64Array.from({ length: channels }, () =>
    Math.max(Math.exp(logMin + logRange * random.next()), floor),
  );
}

/**
 * The bias of Mamba's `dt_proj`: the inverse softplus of {@link initDt}, so that softplus(bias) is the step size.
 * @throws RangeError as {@link initDt}
 */
export function initDtBias(channels: number, random: Random, options: DtInitOptions = {}): Float64Array {
  return initDt(channels, random, options).map(inverseSoftplus);
}
