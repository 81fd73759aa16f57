import { describe, expect, it } from 'vitest';
import { type Complex, complexExpm1, complexPhi1, divide } from './complex.js';

/*
 * The reference: φ₁(z) = Σ z^k / (k+1)! in integers with 256 binary places, and e^z - 1 = z φ₁(z).
 */
const PLACES = 256n;
const ONE = 1n << PLACES;

function toFixed(x: number): bigint {
  let places = 0n;
  for (; !Number.isInteger(x); places++) x *= 2;
  return BigInt(x) << (PLACES - places);
}

/** To about 60 bits: enough to be rounded to a double. */
function toNumber(x: bigint): number {
  const excess = BigInt(Math.max((x < 0n ? -x : x).toString(2).length - 60, 0));
  return Number(x >> excess) * 2 ** Number(excess - PLACES);
}

function reference(z: Complex): { phi1: Complex; expm1: Complex } {
  const zr = toFixed(z[0]);
  const zi = toFixed(z[1]);
  const times = ([ar, ai]: [bigint, bigint]): [bigint, bigint] => [
    (ar * zr - ai * zi) >> PLACES,
    (ar * zi + ai * zr) >> PLACES,
  ];
  let term: [bigint, bigint] = [ONE, 0n];
  let sum: [bigint, bigint] = [0n, 0n];
  for (let k = 2n; k < 120n; k++) {
    sum = [sum[0] + term[0], sum[1] + term[1]];
    const [re, im] = times(term);
    term = [re / k, im / k];
  }
  const expm1 = times(sum);
  return { phi1: [toNumber(sum[0]), toNumber(sum[1])], expm1: [toNumber(expm1[0]), toNumber(expm1[1])] };
}

const normwise = (x: Complex, ref: Complex) =>
  Math.hypot(x[0] - ref[0], x[1] - ref[1]) / Math.hypot(ref[0], ref[1]);

const points: Complex[] = [];
for (const radius of [1e-30, 1e-15, 1e-8, 1e-4, 0.01, 0.3, 0.499, 0.5, 0.501, 1, 2, 6.283, 6.2831853, 9]) {
  for (let i = 0; i < 24; i++)
    points.push([radius * Math.cos((i * Math.PI) / 12), radius * Math.sin((i * Math.PI) / 12)]);
}
points.push([0, 2 * Math.PI], [1e-9, 2 * Math.PI], [-1e-5, -2 * Math.PI]);

describe('complexExpm1', () => {
  it('is exact to a few units in the last place of its modulus, next to its zeros too', () => {
    for (const z of points) expect(normwise(complexExpm1(z), reference(z).expm1)).toBeLessThan(1e-15);
  });

  it('has the limits of exp(z) - 1', () => {
    expect(complexExpm1([0, 0])).toEqual([0, 0]);
    expect(complexExpm1([1e-300, 0])).toEqual([1e-300, 0]);
    const decayed = complexExpm1([-800, 3]);
    expect(normwise(decayed, [-1, 0])).toBeLessThan(1e-15);
  });
});

describe('complexPhi1', () => {
  it('is exact to a few units in the last place of its modulus', () => {
    for (const z of points) expect(normwise(complexPhi1(z), reference(z).phi1)).toBeLessThan(1.5e-15);
  });

  it('keeps its small imaginary part near 0, where dividing by z would lose it', () => {
    for (const z of points) {
      if (Math.hypot(...z) >= 0.5) continue;
      const [re, im] = complexPhi1(z);
      const [wantRe, wantIm] = reference(z).phi1;
      expect(Math.abs(re - wantRe)).toBeLessThanOrEqual(5e-16 * Math.abs(wantRe));
      expect(Math.abs(im - wantIm)).toBeLessThanOrEqual(1e-15 * Math.abs(wantIm));
    }
    expect(complexPhi1([0, 0])).toEqual([1, 0]);
    expect(complexPhi1([0, 1e-300])).toEqual([1, 5e-301]);
  });

  it('is expm1(x) / x for real arguments', () => {
    for (const x of [-700, -3, -0.5, 0.5, 3, 700]) {
      const [re, im] = complexPhi1([x, 0]);
      expect(re).toBe(Math.expm1(x) / x);
      expect(im === 0).toBe(true);
    }
  });
});

describe('divide', () => {
  it('inverts multiplication, far from 1 too', () => {
    for (const [a, b] of [
      [
        [1, 2],
        [3, -4],
      ],
      [
        [1e200, 1e200],
        [-1e200, 1e199],
      ],
      [
        [1e-200, 3e-200],
        [1e-201, 1e-200],
      ],
    ] as [Complex, Complex][]) {
      const q = divide(a, b);
      const back: Complex = [q[0] * b[0] - q[1] * b[1], q[0] * b[1] + q[1] * b[0]];
      const scale = Math.max(Math.abs(a[0]), Math.abs(a[1]));
      expect(Math.abs(back[0] - a[0]) / scale).toBeLessThan(1e-15);
      expect(Math.abs(back[1] - a[1]) / scale).toBeLessThan(1e-15);
    }
  });
});
