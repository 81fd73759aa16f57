/** A vector of complex numbers as two arrays of one length. */
export interface ComplexVector {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

/** A complex number: real part, imaginary part. */
export type Complex = readonly [re: number, im: number];

/** Zeros. */
export function complexVector(length: number): ComplexVector {
  return { re: new Float64Array(length), im: new Float64Array(length) };
}

export function multiply(a: Complex, b: Complex): Complex {
  return [a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]];
}

/** a / b by Smith's method: no overflow on the way, and exactly the real quotient when both are real. */
export function divide(a: Complex, b: Complex): Complex {
  if (Math.abs(b[0]) >= Math.abs(b[1])) {
    const ratio = b[1] / b[0];
    const denominator = b[0] + b[1] * ratio;
    return [(a[0] + a[1] * ratio) / denominator, (a[1] - a[0] * ratio) / denominator];
  }
  const ratio = b[0] / b[1];
  const denominator = b[0] * ratio + b[1];
  return [(a[0] * ratio + a[1]) / denominator, (a[1] * ratio - a[0]) / denominator];
}

export function exp([x, y]: Complex): Complex {
  const radius = Math.exp(x);
  return [radius * Math.cos(y), radius * Math.sin(y)];
}

/**
 * e^z - 1 without the cancellation of subtracting 1: e^x cos y - 1 = expm1(x) cos y - 2 sin²(y/2). The error is a few
 * units in the last place of |e^z - 1| for every z, next to the zeros 2πik too.
 */
export function complexExpm1([x, y]: Complex): Complex {
  const half = Math.sin(y / 2);
  return [Math.expm1(x) * Math.cos(y) - 2 * half * half, Math.exp(x) * Math.sin(y)];
}

/** 1/1!, 1/2!, ... 1/17!: at |z| = 1/2 the first term left out is 2e-21. */
const PHI1_SERIES = Float64Array.from({ length: 17 }, (_, k) => {
  let factorial = 1;
  for (let i = 2; i <= k + 1; i++) factorial *= i;
  return 1 / factorial;
});

/**
 * φ₁(z) = (e^z - 1) / z, and 1 at z = 0. Dividing expm1 by z would leave an imaginary part of rounding noise near 0,
 * where φ₁(z) = 1 + z/2 + ...; the series keeps full precision of both parts there.
 */
export function complexPhi1(z: Complex): Complex {
  if (Math.hypot(z[0], z[1]) >= 0.5) return divide(complexExpm1(z), z);
  let re = 0;
  let im = 0;
  for (let k = PHI1_SERIES.length - 1; k >= 0; k--) {
    const next = re * z[0] - im * z[1] + PHI1_SERIES[k]!;
    im = re * z[1] + im * z[0];
    re = next;
  }
  return [re, im];
}
