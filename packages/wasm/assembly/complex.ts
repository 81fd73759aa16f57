/*
 * Complex numbers in f64, for what runs rarely and must be right: complex A, zero-order hold, S4D kernels. A function
 * leaves its results in the globals below (each thread has its own).
 */

/** e^x */
export let expRe: f64 = 0;
export let expIm: f64 = 0;
/** phi(x) = (e^x - 1) / x and its derivative. */
export let phiRe: f64 = 0;
export let phiIm: f64 = 0;
export let slopeRe: f64 = 0;
export let slopeIm: f64 = 0;

/** Highest power of the series of phi, sum of x^k / (k + 1)!: on |x| < 1/2 what is left out is under 1e-17. */
const DEGREE: i32 = 14;
/** 1 / 15! */
const LEADING: f64 = 7.647163731819816e-13;

export function complexExp(re: f64, im: f64): void {
  const size = Math.exp(re);
  if (im == 0) {
    expRe = size;
    expIm = 0;
  } else {
    expRe = size * Math.cos(im);
    expIm = size * Math.sin(im);
  }
}

/** e^x, phi(x) and its derivative; a series where the quotients would cancel. */
export function complexPhi(re: f64, im: f64): void {
  complexExp(re, im);
  const square = re * re + im * im;
  if (square < 0.25) {
    // Horner for the polynomial and its derivative together, with a_k = a_{k+1} (k + 2).
    let a = LEADING;
    let pRe = a;
    let pIm: f64 = 0;
    let dRe: f64 = 0;
    let dIm: f64 = 0;
    for (let k = DEGREE - 1; k >= 0; k--) {
      a *= <f64>(k + 2);
      const d = dRe * re - dIm * im + pRe;
      dIm = dRe * im + dIm * re + pIm;
      dRe = d;
      const p = pRe * re - pIm * im + a;
      pIm = pRe * im + pIm * re;
      pRe = p;
    }
    phiRe = pRe;
    phiIm = pIm;
    slopeRe = dRe;
    slopeIm = dIm;
    return;
  }
  // (a / x) = a conj(x) / |x|^2, scaled so that the square does not overflow.
  const scale = 1 / max<f64>(abs<f64>(re), abs<f64>(im));
  const xRe = re * scale;
  const xIm = im * scale;
  const inverse = scale / (xRe * xRe + xIm * xIm);
  const nRe = expRe - 1;
  phiRe = (nRe * xRe + expIm * xIm) * inverse;
  phiIm = (expIm * xRe - nRe * xIm) * inverse;
  const sRe = expRe - phiRe;
  const sIm = expIm - phiIm;
  slopeRe = (sRe * xRe + sIm * xIm) * inverse;
  slopeIm = (sIm * xRe - sRe * xIm) * inverse;
}
