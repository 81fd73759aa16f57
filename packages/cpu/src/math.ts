/** 1 / (1 + e^-x), without overflow on either side. */
export function sigmoid(x: number): number {
  if (x >= 0) return 1 / (1 + Math.exp(-x));
  const e = Math.exp(x);
  return e / (1 + e);
}

export function silu(x: number): number {
  return x * sigmoid(x);
}

/** Derivative of `silu`. */
export function siluSlope(x: number): number {
  const s = sigmoid(x);
  return s * (1 + x * (1 - s));
}

/** Above this x, softplus is the identity, as in torch. */
const SOFTPLUS_THRESHOLD = 20;

export function softplus(x: number): number {
  return x <= SOFTPLUS_THRESHOLD ? Math.log1p(Math.exp(x)) : x;
}

/** Derivative of `softplus`. */
export function softplusSlope(x: number): number {
  return x <= SOFTPLUS_THRESHOLD ? sigmoid(x) : 1;
}
