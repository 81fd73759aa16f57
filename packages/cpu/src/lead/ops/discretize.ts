import { complexPhi1 } from '@mamba-ts/ssm';

/*
 * φ(Δ, A) = (e^{ΔA} - 1) / A = Δ φ₁(ΔA), with φ₁(z) = (e^z - 1) / z: the factor of B under zero-order hold. Its
 * derivatives: dφ/dΔ = e^{ΔA}, dφ/dA = Δ² φ₁'(ΔA).
 */

/** φ₁ of a real number: 1 at 0. */
export function phi1(z: number): number {
  return z === 0 ? 1 : Math.expm1(z) / z;
}

/** φ₁'(z) = (e^z - φ₁(z)) / z cancels near 0; there Σ_k k z^{k-1} / (k+1)! is exact to the last places. */
const SERIES = Float64Array.from({ length: 18 }, (_, i) => {
  const k = i + 1;
  let factorial = 1;
  for (let j = 2; j <= k + 1; j++) factorial *= j;
  return k / factorial;
});

export function phi1Slope(z: number): number {
  if (Math.abs(z) >= 0.5) return (Math.exp(z) - phi1(z)) / z;
  let sum = 0;
  for (let i = SERIES.length - 1; i >= 0; i--) sum = sum * z + SERIES[i];
  return sum;
}

/** φ₁' of a complex number. */
export function complexPhi1Slope(re: number, im: number): readonly [number, number] {
  if (Math.hypot(re, im) >= 0.5) {
    const [phiRe, phiIm] = complexPhi1([re, im]);
    const radius = Math.exp(re);
    const a = radius * Math.cos(im) - phiRe;
    const b = radius * Math.sin(im) - phiIm;
    const norm = re * re + im * im;
    return [(a * re + b * im) / norm, (b * re - a * im) / norm];
  }
  let sumRe = 0;
  let sumIm = 0;
  for (let i = SERIES.length - 1; i >= 0; i--) {
    const next = sumRe * re - sumIm * im + SERIES[i];
    sumIm = sumRe * im + sumIm * re;
    sumRe = next;
  }
  return [sumRe, sumIm];
}
