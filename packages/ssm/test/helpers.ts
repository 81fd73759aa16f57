import type { ComplexVector } from '../src/complex.js';
import type { Random } from '../src/random.js';

/** max|x - reference| / max|reference| */
export function relativeError(x: ArrayLike<number>, reference: ArrayLike<number>): number {
  if (x.length !== reference.length) throw new Error(`lengths ${x.length} and ${reference.length}`);
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < x.length; i++) {
    const distance = Math.abs(x[i]! - reference[i]!);
    if (!(distance <= difference)) difference = distance; // and NaN stays
    largest = Math.max(largest, Math.abs(reference[i]!));
  }
  return difference / largest;
}

export function normals(random: Random, length: number): Float64Array {
  return Float64Array.from({ length }, () => random.normal());
}

export function complexNormals(random: Random, length: number): ComplexVector {
  return { re: normals(random, length), im: normals(random, length) };
}

/** [re..., im...] */
export function flat({ re, im }: ComplexVector): Float64Array {
  const both = new Float64Array(re.length + im.length);
  both.set(re);
  both.set(im, re.length);
  return both;
}

/** A stable complex diagonal model with `states` held states. */
export function randomComplexSsm(random: Random, states: number) {
  return {
    A: {
      re: normals(random, states).map((x) => -0.1 - Math.abs(x)),
      im: normals(random, states).map((x) => 5 * x),
    },
    B: complexNormals(random, states),
    C: complexNormals(random, states),
  };
}

/** A stable real diagonal model. */
export function randomRealSsm(random: Random, states: number) {
  return {
    A: normals(random, states).map((x) => -0.1 - Math.abs(x)),
    B: normals(random, states),
    C: normals(random, states),
  };
}
