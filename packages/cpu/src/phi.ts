import type { Complex } from '@mamba-ts/ssm';

/*
 * φ₁(x) = (e^x - 1) / x turns Δ into zero-order hold: (e^{ΔA} - 1) / A = Δ φ₁(ΔA), which has no division by A = 0.
 */

export function phi1(x: number): number {
  return x === 0 ? 1 : Math.expm1(x) / x;
}

/** Below this |x| the slope comes from its series: (e^x - φ₁(x)) / x would cancel there. */
const SERIES_RADIUS = 0.5;

/** φ₁'(x) = Σ x^k (k+1) / (k+2)!. At |x| = 1/2 the first term left out is 2e-21. */
const SLOPE_SERIES = Float64Array.from({ length: 16 }, (_, k) => {
  let factorial = 1;
  for (let i = 2; i <= k + 2; i++) factorial *= i;
  return (k + 1) / factorial;
});

/** φ₁'(x), full precision near 0 too. */
export function phi1Slope(x: number): number {
  if (Math.abs(x) >= SERIES_RADIUS) return (Math.exp(x) - phi1(x)) / x;
  let sum = 0;
  for (let k = SLOPE_SERIES.length - 1; k >= 0; k--) sum = sum * x + SLOPE_SERIES[k];
  return sum;
}

/** The same of a complex number. `exp` and `phi` are e^z and φ₁(z), which the caller has. */
export function complexPhi1Slope([x, y]: Complex, exp: Complex, phi: Complex): Complex {
  const square = x * x + y * y;
  if (square >= SERIES_RADIUS * SERIES_RADIUS) {
    const re = exp[0] - phi[0];
    const im = exp[1] - phi[1];
    return [(re * x + im * y) / square, (im * x - re * y) / square];
  }
  let re = 0;
  let im = 0;
  for (let k = SLOPE_SERIES.length - 1; k >= 0; k--) {
    const next = re * x - im * y + SLOPE_SERIES[k];
    im = re * y + im * x;
    re = next;
  }
  return [re, im];
}
