import { checkLinear, checkLinearBackward, isStorageType } from '@mamba-ts/backend';
import { type Floats, floats, optionalFloats, weightRows } from '../cpu-tensor.js';
import type { Kernel } from '../kernel.js';

/** Rows that are worked on together, so that what is read again and again stays in the cache. */
const TILE = 32;

/** y = x weight^T + bias */
export const linear: Kernel<'linear'> = (make, inputs) => {
  const { dtype, rows, inputs: width, outputs, shape } = checkLinear(inputs);
  const x = floats(inputs.x);
  const bias = optionalFloats(inputs.bias);
  const y = make(shape, dtype);
  const values = floats(y);
  for (let from = 0; from < outputs; from += TILE) {
    const to = Math.min(from + TILE, outputs);
    const tile = weightRows(inputs.weight, from, to);
    const tileBias = bias?.subarray(from, to);
    for (let row = 0; row < rows; row++) {
      dotRows(x, row * width, tile, to - from, width, tileBias, values, row * outputs + from);
    }
  }
  return y;
};

/** dx = dy weight, dweight = dy^T x, dbias = column sums of dy */
export const linearBackward: Kernel<'linearBackward'> = (make, inputs, { dy }) => {
  const { dtype, rows, inputs: width, outputs } = checkLinearBackward(inputs, { dy });
  const x = floats(inputs.x);
  const gradient = floats(dy);
  const dx = make(inputs.x.shape, dtype);
  const dweight = make(inputs.weight.shape, isStorageType(inputs.weight.dtype) ? 'f32' : dtype);
  combineRows(
    gradient,
    { count: rows, stride: outputs },
    { count: outputs, stride: 1 },
    (from, to) => weightRows(inputs.weight, from, to),
    width,
    floats(dx),
  );
  combineRows(
    gradient,
    { count: outputs, stride: 1 },
    { count: rows, stride: outputs },
    (from, to) => x.subarray(from * width, to * width),
    width,
    floats(dweight),
  );
  if (!inputs.bias) return { dx, dweight };
  const dbias = make([outputs], dtype);
  const ones = new Float64Array(rows).fill(1);
  combineRows(
    ones,
    { count: 1, stride: 0 },
    { count: rows, stride: 1 },
    (from, to) => gradient.subarray(from * outputs, to * outputs),
    outputs,
    floats(dbias),
  );
  return { dx, dweight, dbias };
};

/** out[at + r] = bias[r] + x[xAt ...] · row r of `tile`, `count` rows of `width`. Four at a time share each load of x. */
function dotRows(
  x: Floats,
  xAt: number,
  tile: Floats,
  count: number,
  width: number,
  bias: Floats | undefined,
  out: Floats,
  at: number,
): void {
  let r = 0;
  for (; r + 4 <= count; r += 4) {
    const r0 = r * width;
    const r1 = r0 + width;
    const r2 = r1 + width;
    const r3 = r2 + width;
    let s0 = bias ? bias[r] : 0;
    let s1 = bias ? bias[r + 1] : 0;
    let s2 = bias ? bias[r + 2] : 0;
    let s3 = bias ? bias[r + 3] : 0;
    for (let i = 0; i < width; i++) {
      const v = x[xAt + i];
      s0 += v * tile[r0 + i];
      s1 += v * tile[r1 + i];
      s2 += v * tile[r2 + i];
      s3 += v * tile[r3 + i];
    }
    out[at + r] = s0;
    out[at + r + 1] = s1;
    out[at + r + 2] = s2;
    out[at + r + 3] = s3;
  }
  for (; r < count; r++) {
    const start = r * width;
    let sum = bias ? bias[r] : 0;
    for (let i = 0; i < width; i++) sum += x[xAt + i] * tile[start + i];
    out[at + r] = sum;
  }
}

interface Axis {
  readonly count: number;
  /** Between neighbours in the matrix of coefficients. */
  readonly stride: number;
}

/** out[p] = sum over q of coefficients[p, q] * row q: a matrix product by whole rows. `rows` gives some rows of `width`. */
function combineRows(
  coefficients: Floats,
  p: Axis,
  q: Axis,
  rows: (from: number, to: number) => Floats,
  width: number,
  out: Floats,
): void {
  const sums = new Float64Array(TILE * width);
  for (let pFrom = 0; pFrom < p.count; pFrom += TILE) {
    const pTo = Math.min(pFrom + TILE, p.count);
    sums.fill(0);
    for (let qFrom = 0; qFrom < q.count; qFrom += TILE) {
      const qTo = Math.min(qFrom + TILE, q.count);
      const tile = rows(qFrom, qTo);
      for (let i = pFrom; i < pTo; i++) {
        const at = i * p.stride + qFrom * q.stride;
        addRows(coefficients, at, q.stride, tile, qTo - qFrom, width, sums, (i - pFrom) * width);
      }
    }
    out.set(sums.subarray(0, (pTo - pFrom) * width), pFrom * width);
  }
}

/** sums[at ...] += coefficient r * row r, `count` rows of `width`. Four at a time share each load and store of a sum. */
function addRows(
  coefficients: Floats,
  coefficientsAt: number,
  stride: number,
  tile: Floats,
  count: number,
  width: number,
  sums: Float64Array,
  at: number,
): void {
  let r = 0;
  for (; r + 4 <= count; r += 4) {
    const c = coefficientsAt + r * stride;
    const c0 = coefficients[c];
    const c1 = coefficients[c + stride];
    const c2 = coefficients[c + 2 * stride];
    const c3 = coefficients[c + 3 * stride];
    const r0 = r * width;
    const r1 = r0 + width;
    const r2 = r1 + width;
    const r3 = r2 + width;
    for (let i = 0; i < width; i++) {
      sums[at + i] += c0 * tile[r0 + i] + c1 * tile[r1 + i] + c2 * tile[r2 + i] + c3 * tile[r3 + i];
    }
  }
  for (; r < count; r++) {
    const c = coefficients[coefficientsAt + r * stride];
    const start = r * width;
    for (let i = 0; i < width; i++) sums[at + i] += c * tile[start + i];
  }
}
