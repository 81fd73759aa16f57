/** Eigenvalues in ascending order; eigenvector j is column j of `vectors`, [n, n] row-major. */
export interface HermitianEigen {
  readonly values: Float64Array;
  readonly vectors: { readonly re: Float64Array; readonly im: Float64Array };
}

/** Convergence is quadratic: ten sweeps do for hundreds of states. The bound only keeps a loop from being endless. */
const MAX_SWEEPS = 40;

/**
 * The eigenvalues and orthonormal eigenvectors of a Hermitian matrix (re symmetric, im skew-symmetric, both [n, n]
 * row-major), by cyclic Jacobi rotations: each zeroes one off-diagonal pair, and after a few sweeps over all pairs the
 * matrix is diagonal. Slower than tridiagonalising first, but short, and backward stable: errors are a few units of
 * rounding of the matrix norm.
 * @throws RangeError if an entry is not finite
 */
export function hermitianEigen(re: Float64Array, im: Float64Array, n: number): HermitianEigen {
  const ar = re.slice();
  const ai = im.slice();
  const vr = new Float64Array(n * n);
  const vi = new Float64Array(n * n);
  for (let i = 0; i < n; i++) vr[i * (n + 1)] = 1;
  let largest = 0;
  for (let i = 0; i < n * n; i++) largest = Math.max(largest, Math.abs(ar[i]!), Math.abs(ai[i]!));
  if (!Number.isFinite(largest)) throw new RangeError('hermitianEigen: every entry must be finite');
  // Off-diagonal entries below this no longer change an eigenvalue of the matrix's scale.
  const negligible = (Number.EPSILON * largest) / (16 * n);

  for (let sweep = 0, rotated = true; rotated && sweep < MAX_SWEEPS; sweep++) {
    rotated = false;
    for (let p = 0; p < n - 1; p++) {
      for (let q = p + 1; q < n; q++) {
        const size = Math.hypot(ar[p * n + q]!, ai[p * n + q]!);
        if (size <= negligible) continue;
        rotated = true;
        // The phase makes the entry real, the rotation by tan = t (the smaller root) then makes it zero.
        const phaseRe = ar[p * n + q]! / size;
        const phaseIm = ai[p * n + q]! / size;
        const tau = (ar[q * (n + 1)]! - ar[p * (n + 1)]!) / (2 * size);
        const t = (tau < 0 ? -1 : 1) / (Math.abs(tau) + Math.hypot(1, tau));
        const c = 1 / Math.hypot(1, t);
        const s = t * c;
        rotateColumns(ar, ai, n, p, q, c, s * phaseRe, s * phaseIm);
        rotateRows(ar, ai, n, p, q, c, s * phaseRe, s * phaseIm);
        rotateColumns(vr, vi, n, p, q, c, s * phaseRe, s * phaseIm);
        // What rounding leaves of them would be of the size of the diagonal's rounding, and never become negligible.
        ar[p * n + q] = ai[p * n + q] = ar[q * n + p] = ai[q * n + p] = 0;
        ai[p * (n + 1)] = ai[q * (n + 1)] = 0;
      }
    }
  }

  const order = Array.from({ length: n }, (_, i) => i).sort((a, b) => ar[a * (n + 1)]! - ar[b * (n + 1)]!);
  const inOrder = (matrix: Float64Array) => matrix.map((_, i) => matrix[i - (i % n) + order[i % n]!]!);
  return {
    values: Float64Array.from(order, (i) => ar[i * (n + 1)]!),
    vectors: { re: inOrder(vr), im: inOrder(vi) },
  };
}

/** Columns p, q <- (c p - conj(w) q, w p + c q) for the complex w = wr + i wi. */
function rotateColumns(
  re: Float64Array,
  im: Float64Array,
  n: number,
  p: number,
  q: number,
  c: number,
  wr: number,
  wi: number,
): void {
  for (let i = 0; i < n; i++) {
    const pr = re[i * n + p]!;
    const pi = im[i * n + p]!;
    const qr = re[i * n + q]!;
    const qi = im[i * n + q]!;
    re[i * n + p] = c * pr - (wr * qr + wi * qi);
    im[i * n + p] = c * pi - (wr * qi - wi * qr);
    re[i * n + q] = wr * pr - wi * pi + c * qr;
    im[i * n + q] = wr * pi + wi * pr + c * qi;
  }
}

/** The same from the left, conjugated: rows p, q <- (c p - w q, conj(w) p + c q). */
function rotateRows(
  re: Float64Array,
  im: Float64Array,
  n: number,
  p: number,
  q: number,
  c: number,
  wr: number,
  wi: number,
): void {
  for (let j = 0; j < n; j++) {
    const pr = re[p * n + j]!;
    const pi = im[p * n + j]!;
    const qr = re[q * n + j]!;
    const qi = im[q * n + j]!;
    re[p * n + j] = c * pr - (wr * qr - wi * qi);
    im[p * n + j] = c * pi - (wr * qi + wi * qr);
    re[q * n + j] = wr * pr + wi * pi + c * qr;
    im[q * n + j] = wr * pi - wi * pr + c * qi;
  }
}
