import type { LinearInputs, Tensor } from '@mamba-ts/backend';
import { allocate, type Cpu, floats, optionalFloats, resultType, round, rowsOf } from '../cpu.js';
import type { Floats } from '../tensor.js';

export function linear(cpu: Cpu, { x, weight, bias }: LinearInputs): Tensor {
  const { rows, columns } = rowsOf(x.shape);
  const outputs = weight.shape[0];
  const [xs, w, b] = [floats(cpu, x), floats(cpu, weight), optionalFloats(cpu, bias)];
  const y = allocate(resultType(x), rows * outputs);
  for (let row = 0; row < rows; row++) {
    for (let o = 0; o < outputs; o++) {
      y[row * outputs + o] = dot(xs, row * columns, w, o * columns, columns) + (b ? b[o] : 0);
    }
  }
  return cpu.make(y, [...x.shape.slice(0, -1), outputs], resultType(x));
}

export function linearBackward(
  cpu: Cpu,
  { x, weight, bias }: LinearInputs,
  grads: { dy: Tensor },
): { dx: Tensor; dweight: Tensor; dbias?: Tensor } {
  const { rows, columns } = rowsOf(x.shape);
  const outputs = weight.shape[0];
  const [xs, w, dy] = [floats(cpu, x), floats(cpu, weight), floats(cpu, grads.dy)];
  const dx = new Float64Array(rows * columns);
  const dweight = new Float64Array(outputs * columns);
  const dbias = new Float64Array(outputs);
  for (let row = 0; row < rows; row++) {
    for (let o = 0; o < outputs; o++) {
      const g = dy[row * outputs + o];
      for (let k = 0; k < columns; k++) dx[row * columns + k] += g * w[o * columns + k];
      for (let k = 0; k < columns; k++) dweight[o * columns + k] += g * xs[row * columns + k];
      dbias[o] += g;
    }
  }
  const dtype = resultType(x);
  return {
    dx: round(cpu, dx, x.shape, dtype),
    dweight: round(cpu, dweight, weight.shape, dtype),
    ...(bias && { dbias: round(cpu, dbias, bias.shape, dtype) }),
  };
}

function dot(a: Floats, i: number, b: Floats, j: number, length: number): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let k = 0;
  for (; k + 3 < length; k += 4) {
    s0 += a[i + k] * b[j + k];
    s1 += a[i + k + 1] * b[j + k + 1];
    s2 += a[i + k + 2] * b[j + k + 2];
    s3 += a[i + k + 3] * b[j + k + 3];
  }
  for (; k < length; k++) s0 += a[i + k] * b[j + k];
  return s0 + s1 + (s2 + s3);
}
