/* Square real matrices, [n, n] row-major: what the dense models need. */

/** a b */
export function matmul(a: Float64Array, b: Float64Array, n: number): Float64Array {
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < n; k++) {
      const factor = a[i * n + k]!;
      for (let j = 0; j < n; j++) out[i * n + j]! += factor * b[k * n + j]!;
    }
  }
  return out;
}

/**
 * a^-1 b for b [n, m] row-major, by Gaussian elimination with row pivoting.
 * @throws RangeError if `a` is singular
 */
export function solve(a: Float64Array, b: Float64Array, n: number): Float64Array {
  const m = b.length / n;
  const lu = a.slice();
  const x = b.slice();
  for (let column = 0; column < n; column++) {
    let pivot = column;
    for (let row = column + 1; row < n; row++) {
      if (Math.abs(lu[row * n + column]!) > Math.abs(lu[pivot * n + column]!)) pivot = row;
    }
    if (!(Math.abs(lu[pivot * n + column]!) > 0)) {
      throw new RangeError(`solve: the matrix is singular (no pivot in column ${column} of ${n})`);
    }
    if (pivot !== column) {
      swapRows(lu, n, pivot, column);
      swapRows(x, m, pivot, column);
    }
    for (let row = column + 1; row < n; row++) {
      const factor = lu[row * n + column]! / lu[column * n + column]!;
      if (factor === 0) continue;
      for (let j = column; j < n; j++) lu[row * n + j]! -= factor * lu[column * n + j]!;
      for (let j = 0; j < m; j++) x[row * m + j]! -= factor * x[column * m + j]!;
    }
  }
  for (let row = n - 1; row >= 0; row--) {
    for (let j = 0; j < m; j++) {
      let sum = x[row * m + j]!;
      for (let k = row + 1; k < n; k++) sum -= lu[row * n + k]! * x[k * m + j]!;
      x[row * m + j] = sum / lu[row * n + row]!;
    }
  }
  return x;
}

function swapRows(matrix: Float64Array, width: number, a: number, b: number): void {
  const row = matrix.slice(a * width, (a + 1) * width);
  matrix.copyWithin(a * width, b * width, (b + 1) * width);
  matrix.set(row, b * width);
}

/** The matrix exponential: Taylor's series of a / 2^s, whose norm is at most 1/2, squared s times. */
export function expm(a: Float64Array, n: number): Float64Array {
  let norm = 0;
  for (let i = 0; i < n; i++) {
    let rowSum = 0;
    for (let j = 0; j < n; j++) rowSum += Math.abs(a[i * n + j]!);
    norm = Math.max(norm, rowSum);
  }
  const squarings = norm > 0.5 ? Math.ceil(Math.log2(norm)) + 1 : 0;
  const scaled = a.map((x) => x / 2 ** squarings);
  // Horner's scheme: I + X (I + X/2 (I + X/3 (...))); at norm 1/2 the first term left out is 2e-19.
  let power = identity(n);
  for (let k = 15; k >= 1; k--) {
    const product = matmul(scaled, power, n);
    power = identity(n).map((x, i) => x + product[i]! / k);
  }
  for (let s = 0; s < squarings; s++) power = matmul(power, power, n);
  return power;
}

function identity(n: number): Float64Array {
  return Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0));
}
