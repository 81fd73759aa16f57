import { type ComplexVector, complexVector, divide, multiply } from './complex.js';
import { ifft } from './fft.js';
import { solve } from './matrix.js';
import { type ComplexDiagonalSSM, checkLength, checkStep, stateCount } from './ssm.js';

/**
 * A continuous model whose matrix is diagonal plus low rank: `A` here is the diagonal Λ, and the model's matrix is
 * Λ - Σ_r P_r Q_rᴴ. As in every complex model of this package one state of each conjugate pair is held; the low-rank term
 * couples the pairs too.
 */
export interface DplrSSM extends ComplexDiagonalSSM {
  /** Rank times [N/2] */
  readonly P: readonly ComplexVector[];
  /** Rank times [N/2]; P itself in S4 */
  readonly Q: readonly ComplexVector[];
}

/**
 * C̃ = C (I - Ā^L), with Ā the bilinear discretization: what turns the sum over all time into one over the first L steps.
 * Computed as (Σ_{l<L} C Ā^l) (I - Ā) with I - Ā = -ΔA (I - ΔA/2)^-1, so that nothing cancels where L ΔA is small. Each
 * product of a row with Ā is O(N · rank), since (I - ΔA/2)^-1 is diagonal plus low rank again (Woodbury).
 * @throws RangeError if the shapes do not fit, dt is not positive, or `length` is not a whole number
 */
export function truncatedOutput(ssm: DplrSSM, dt: number, length: number): ComplexVector {
  const states = checkDplr(ssm, 'truncatedOutput');
  checkStep(dt, 'truncatedOutput');
  checkLength(length, 'truncatedOutput');
  const { A, C, P, Q } = ssm;
  const rank = P.length;
  const s = dt / 2;
  const Qh = Q.map(conjugate);

  // D = (I - sΛ)^-1
  const D = complexVector(states);
  for (let n = 0; n < states; n++) {
    [D.re[n], D.im[n]] = divide([1, 0], [1 - s * A.re[n]!, -s * A.im[n]!]);
  }
  const DP = P.map((p) => times(D, p));
  const QhD = Qh.map((q) => times(q, D));
  // (I + s Qᴴ D P)^-1: real, because both halves of each pair add up.
  const core = new Float64Array(rank * rank);
  const identity = new Float64Array(rank * rank);
  for (let i = 0; i < rank; i++) {
    identity[i * (rank + 1)] = 1;
    for (let j = 0; j < rank; j++) core[i * rank + j] = (i === j ? 1 : 0) + s * pairSum(Qh[i]!, DP[j]!);
  }
  const inverse = solve(core, identity, rank);

  /** x A = x Λ - Σ (x P_r) Q_rᴴ */
  const timesA = (x: ComplexVector) => {
    const out = times(x, A);
    for (let r = 0; r < rank; r++) addScaled(out, -pairSum(x, P[r]!), Qh[r]!);
    return out;
  };
  /** x (I - sA)^-1 = x D - s (x D P) (I + s Qᴴ D P)^-1 Qᴴ D */
  const solveRow = (x: ComplexVector) => {
    const out = times(x, D);
    const along = DP.map((dp) => pairSum(x, dp));
    for (let r = 0; r < rank; r++) {
      let weight = 0;
      for (let i = 0; i < rank; i++) weight += along[i]! * inverse[i * rank + r]!;
      addScaled(out, -s * weight, QhD[r]!);
    }
    return out;
  };

  const sum = complexVector(states);
  let power: ComplexVector = { re: C.re.slice(), im: C.im.slice() };
  for (let l = 0; l < length; l++) {
    addScaled(sum, 1, power);
    addScaled(power, s, timesA(power));
    power = solveRow(power);
  }
  const truncated = complexVector(states);
  addScaled(truncated, -dt, solveRow(timesA(sum)));
  return truncated;
}

/**
 * S4's kernel (Gu et al., arXiv 2111.00396, algorithm 1): K_l = C Ā^l B̄ for l = 0..length-1, discretized by the bilinear
 * rule with the step size `dt`, without any power of a matrix. The kernel's generating function at the roots of unity is a
 * Cauchy matrix product, corrected for the low rank by Woodbury's identity; an inverse FFT gives the kernel.
 * O(L N rank²) for the Cauchy part and as much for C̃ (see {@link truncatedOutput}).
 * @throws RangeError if the shapes do not fit, dt is not positive, or `length` is not a whole number
 */
export function dplrKernel(ssm: DplrSSM, dt: number, length: number): Float64Array {
  const C = truncatedOutput(ssm, dt, length);
  const left = [...ssm.Q.map(conjugate), C];
  const right = [...ssm.P, ssm.B];
  const spectrum = complexVector(length);
  for (let k = 0; 2 * k <= length && k < length; k++) {
    /*
     * At ω = e^{-iθ} the generating function is C̃ (I - ωĀ)^-1 B̄ = C̃ ((1 - ω) I - (1 + ω) Δ/2 A)^-1 ΔB. With
     * 1 - ω = e^{-iθ/2} 2i sin(θ/2) and 1 + ω = e^{-iθ/2} 2 cos(θ/2) nothing cancels, and ω = -1, where the usual
     * 2/Δ (1 - ω)/(1 + ω) has a pole, is no special case.
     */
    const half = (Math.PI * k) / length;
    const s = dt * Math.cos(half);
    const [re, im] = resolvent(ssm.A, left, right, s, 2 * Math.sin(half));
    spectrum.re[k] = dt * (re * Math.cos(half) - im * Math.sin(half));
    spectrum.im[k] = dt * (re * Math.sin(half) + im * Math.cos(half));
    if (k > 0) {
      // The kernel is real.
      spectrum.re[length - k] = spectrum.re[k]!;
      spectrum.im[length - k] = -spectrum.im[k]!;
    }
  }
  return length === 0 ? new Float64Array(0) : ifft(spectrum).re;
}

/**
 * C (iy I - s (Λ - P Qᴴ))^-1 B, with left = [...Qᴴ, C] and right = [...P, B]. Woodbury's C D B - s C D P (I + s Qᴴ D P)^-1
 * Qᴴ D B, D = (iy - sΛ)^-1, is the Schur complement of I + s Qᴴ D P in the matrix of all products left D right, so
 * eliminating its leading columns leaves the result in the last entry.
 */
function resolvent(
  lambda: ComplexVector,
  left: ComplexVector[],
  right: ComplexVector[],
  s: number,
  y: number,
): readonly [number, number] {
  const size = right.length;
  const re = new Float64Array(size * size);
  const im = new Float64Array(size * size);
  for (let n = 0; n < lambda.re.length; n++) {
    const a = -s * lambda.re[n]!;
    const b = s * lambda.im[n]!;
    // 1 / (iy - sλ) and, for the conjugate state, 1 / (iy - s conj(λ)).
    const normMinus = a * a + (y - b) * (y - b);
    const normPlus = a * a + (y + b) * (y + b);
    const dr = a / normMinus;
    const di = (b - y) / normMinus;
    const er = a / normPlus;
    const ei = -(y + b) / normPlus;
    for (let i = 0; i < size; i++) {
      const lr = left[i]!.re[n]!;
      const li = left[i]!.im[n]!;
      for (let j = 0; j < size; j++) {
        const vr = lr * right[j]!.re[n]! - li * right[j]!.im[n]!;
        const vi = lr * right[j]!.im[n]! + li * right[j]!.re[n]!;
        re[i * size + j]! += vr * (dr + er) - vi * (di - ei);
        im[i * size + j]! += vr * (di + ei) + vi * (dr - er);
      }
    }
  }
  const rank = size - 1;
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < rank; j++) {
      re[i * size + j] = (i === j ? 1 : 0) + s * re[i * size + j]!;
      im[i * size + j]! *= s;
    }
  }
  return lastSchurComplement(re, im, size);
}

/** Eliminates all columns but the last, with pivots from all rows but the last, and returns the last entry. Destroys its input. */
function lastSchurComplement(re: Float64Array, im: Float64Array, size: number): readonly [number, number] {
  const rank = size - 1;
  for (let column = 0; column < rank; column++) {
    let pivot = column;
    const magnitude = (row: number) => Math.hypot(re[row * size + column]!, im[row * size + column]!);
    for (let row = column + 1; row < rank; row++) if (magnitude(row) > magnitude(pivot)) pivot = row;
    for (let j = column; pivot !== column && j < size; j++) {
      for (const part of [re, im]) {
        [part[pivot * size + j], part[column * size + j]] = [
          part[column * size + j]!,
          part[pivot * size + j]!,
        ];
      }
    }
    const by = [re[column * size + column]!, im[column * size + column]!] as const;
    for (let row = column + 1; row < size; row++) {
      const factor = divide([re[row * size + column]!, im[row * size + column]!], by);
      for (let j = column + 1; j < size; j++) {
        const product = multiply(factor, [re[column * size + j]!, im[column * size + j]!]);
        re[row * size + j]! -= product[0];
        im[row * size + j]! -= product[1];
      }
    }
  }
  return [re[size * size - 1]!, im[size * size - 1]!];
}

function checkDplr(ssm: DplrSSM, where: string): number {
  const states = stateCount(ssm, where);
  const lengths = [...ssm.P, ...ssm.Q].flatMap(({ re, im }) => [re.length, im.length]);
  if (ssm.P.length !== ssm.Q.length || lengths.some((length) => length !== states)) {
    throw new RangeError(
      `${where}: P and Q must be as many vectors as each other, of ${states} entries each; they are ${ssm.P.length} and ${ssm.Q.length} vectors of ${lengths.join(', ')}`,
    );
  }
  return states;
}

function conjugate({ re, im }: ComplexVector): ComplexVector {
  return { re, im: im.map((x) => -x) };
}

function times(a: ComplexVector, b: ComplexVector): ComplexVector {
  return {
    re: a.re.map((x, n) => x * b.re[n]! - a.im[n]! * b.im[n]!),
    im: a.re.map((x, n) => x * b.im[n]! + a.im[n]! * b.re[n]!),
  };
}

/** Σ a_n b_n over both states of each pair: 2 Re of the sum over the held ones. */
function pairSum(a: ComplexVector, b: ComplexVector): number {
  let sum = 0;
  for (let n = 0; n < a.re.length; n++) sum += a.re[n]! * b.re[n]! - a.im[n]! * b.im[n]!;
  return 2 * sum;
}

/** a <- a + factor b, for a real factor. */
function addScaled(a: ComplexVector, factor: number, b: ComplexVector): void {
  for (let n = 0; n < a.re.length; n++) {
    a.re[n]! += factor * b.re[n]!;
    a.im[n]! += factor * b.im[n]!;
  }
}
