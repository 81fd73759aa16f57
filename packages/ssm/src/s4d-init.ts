/**
 * S4D-Real: A_n = -(n + 1) for n = 0..states-1, Mamba's initialisation (Gu et al. 2022, arXiv 2206.11893; Mamba, §3.6).
 */
export function s4dReal(states: number): Float64Array {
  return Float64Array.from({ length: states }, (_, n) => -(n + 1));
}

/** Mamba's `A_log`, [channels, states] row-major: every row is log(1), ..., log(states), so that A = -exp(A_log) is S4D-Real. */
export function s4dRealALog(channels: number, states: number): Float64Array {
  return Float64Array.from({ length: channels * states }, (_, i) => Math.log((i % states) + 1));
}
