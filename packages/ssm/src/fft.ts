import { type ComplexVector, complexVector } from './complex.js';

/**
 * The discrete Fourier transform X_k = Σ_n x_n e^{-2πikn/N}, of any length: radix 2 for powers of two, and Bluestein's
 * algorithm (a convolution with a chirp, padded to a power of two) for the others. O(N log N), error about 1e-16 log N
 * relative to the largest |X_k|.
 * @throws RangeError if the two parts differ in length
 */
export function fft(x: ComplexVector): ComplexVector {
  return transform(x, -1);
}

/**
 * The inverse of {@link fft}: x_n = 1/N Σ_k X_k e^{+2πikn/N}.
 * @throws RangeError if the two parts differ in length
 */
export function ifft(x: ComplexVector): ComplexVector {
  const { re, im } = transform(x, 1);
  const scale = 1 / re.length;
  return { re: re.map((value) => value * scale), im: im.map((value) => value * scale) };
}

/** The smallest power of two that is `length` or more. */
export function nextPowerOfTwo(length: number): number {
  let size = 1;
  while (size < length) size *= 2;
  return size;
}

type Sign = -1 | 1;

function transform(x: ComplexVector, sign: Sign): ComplexVector {
  const length = x.re.length;
  if (x.im.length !== length) {
    throw new RangeError(
      `fft: real and imaginary part must have one length, but have ${length}, ${x.im.length}`,
    );
  }
  if (length < 2) return { re: x.re.slice(), im: x.im.slice() };
  if (length !== nextPowerOfTwo(length)) return bluestein(x, sign);
  const out = { re: x.re.slice(), im: x.im.slice() };
  radix2(out, sign);
  return out;
}

/** In place; the length is a power of two. */
function radix2({ re, im }: ComplexVector, sign: Sign): void {
  const length = re.length;
  for (let i = 1, j = 0; i < length; i++) {
    let bit = length >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [re[i], re[j]] = [re[j]!, re[i]!];
      [im[i], im[j]] = [im[j]!, im[i]!];
    }
  }
  // Every root from its own angle: powers by repeated multiplication would lose digits with the length.
  const cos = new Float64Array(length / 2);
  const sin = new Float64Array(length / 2);
  for (let i = 0; i < length / 2; i++) {
    cos[i] = Math.cos((2 * Math.PI * i) / length);
    sin[i] = sign * Math.sin((2 * Math.PI * i) / length);
  }
  for (let half = 1; half < length; half *= 2) {
    const stride = length / (2 * half);
    for (let start = 0; start < length; start += 2 * half) {
      for (let k = 0; k < half; k++) {
        const a = start + k;
        const b = a + half;
        const c = cos[k * stride]!;
        const s = sin[k * stride]!;
        const tr = re[b]! * c - im[b]! * s;
        const ti = re[b]! * s + im[b]! * c;
        re[b] = re[a]! - tr;
        im[b] = im[a]! - ti;
        re[a]! += tr;
        im[a]! += ti;
      }
    }
  }
}

/** With kn = (k² + n² - (k - n)²) / 2, the transform is a convolution with the chirp e^{±iπn²/N}. */
function bluestein(x: ComplexVector, sign: Sign): ComplexVector {
  const length = x.re.length;
  const chirp = complexVector(length);
  for (let n = 0; n < length; n++) {
    // n² mod 2N keeps the angle small, so that it stays exact for any length (n² < 2^53 needs N < 9e7).
    const angle = (sign * Math.PI * ((n * n) % (2 * length))) / length;
    chirp.re[n] = Math.cos(angle);
    chirp.im[n] = Math.sin(angle);
  }
  const size = nextPowerOfTwo(2 * length - 1);
  const a = complexVector(size);
  const b = complexVector(size);
  for (let n = 0; n < length; n++) {
    a.re[n] = x.re[n]! * chirp.re[n]! - x.im[n]! * chirp.im[n]!;
    a.im[n] = x.re[n]! * chirp.im[n]! + x.im[n]! * chirp.re[n]!;
    const mirrored = (size - n) % size;
    b.re[n] = b.re[mirrored] = chirp.re[n]!;
    b.im[n] = b.im[mirrored] = -chirp.im[n]!;
  }
  radix2(a, -1);
  radix2(b, -1);
  multiplyInto(a, b);
  radix2(a, 1);
  const out = complexVector(length);
  for (let k = 0; k < length; k++) {
    const re = a.re[k]! / size;
    const im = a.im[k]! / size;
    out.re[k] = re * chirp.re[k]! - im * chirp.im[k]!;
    out.im[k] = re * chirp.im[k]! + im * chirp.re[k]!;
  }
  return out;
}

/** a <- a b, elementwise. */
export function multiplyInto(a: ComplexVector, b: ComplexVector): void {
  for (let i = 0; i < a.re.length; i++) {
    const re = a.re[i]! * b.re[i]! - a.im[i]! * b.im[i]!;
    a.im[i] = a.re[i]! * b.im[i]! + a.im[i]! * b.re[i]!;
    a.re[i] = re;
  }
}
