import type { LayerNormInputs, NormOutputs, RmsNormInputs, Tensor } from '@mamba-ts/backend';
import { allocate, type Cpu, floats, optionalFloats, resultType, round, rowsOf } from '../cpu.js';
import type { Floats } from '../tensor.js';

/** r = x + residual; y = r / sqrt(mean(r²) + eps) weight */
export function rmsNorm(cpu: Cpu, inputs: RmsNormInputs): NormOutputs {
  return normalize(cpu, inputs, false);
}

export function rmsNormBackward(
  cpu: Cpu,
  inputs: RmsNormInputs,
  grads: { dy: Tensor; dresidual?: Tensor | undefined },
): { dx: Tensor; dweight: Tensor } {
  const { dx, dweight } = normalizeBackward(cpu, inputs, grads, false);
  return { dx, dweight };
}

/** r = x + residual; y = (r - mean) / sqrt(var + eps) weight + bias */
export function layerNorm(cpu: Cpu, inputs: LayerNormInputs): NormOutputs {
  return normalize(cpu, inputs, true);
}

export function layerNormBackward(
  cpu: Cpu,
  inputs: LayerNormInputs,
  grads: { dy: Tensor; dresidual?: Tensor | undefined },
): { dx: Tensor; dweight: Tensor; dbias?: Tensor } {
  return normalizeBackward(cpu, inputs, grads, true);
}

/** x + residual, or x itself. */
function summed(cpu: Cpu, { x, residual }: RmsNormInputs): Floats {
  const xs = floats(cpu, x);
  if (residual === undefined) return xs;
  const rs = floats(cpu, residual);
  return xs.map((value, i) => value + rs[i]);
}

/** Mean (0 for RMSNorm) and 1 / sqrt(mean square of what is left + eps) of one row. */
function moments(r: Floats, start: number, columns: number, eps: number, centred: boolean) {
  let mean = 0;
  if (centred) {
    for (let i = 0; i < columns; i++) mean += r[start + i];
    mean /= columns;
  }
  let square = 0;
  for (let i = 0; i < columns; i++) square += (r[start + i] - mean) ** 2;
  return { mean, scale: 1 / Math.sqrt(square / columns + eps) };
}

function normalize(cpu: Cpu, inputs: LayerNormInputs, centred: boolean): NormOutputs {
  const { x, weight, eps, residual, bias } = inputs;
  const { rows, columns } = rowsOf(x.shape);
  const r = summed(cpu, inputs);
  const [w, b] = [floats(cpu, weight), optionalFloats(cpu, bias)];
  const y = allocate(resultType(x), r.length);
  for (let row = 0; row < rows; row++) {
    const start = row * columns;
    const { mean, scale } = moments(r, start, columns, eps, centred);
    for (let i = 0; i < columns; i++) y[start + i] = (r[start + i] - mean) * scale * w[i] + (b ? b[i] : 0);
  }
  return {
    y: cpu.make(y, x.shape, resultType(x)),
    residual: residual === undefined ? x : cpu.make(r, x.shape, resultType(x)),
  };
}

/**
 * With n = (r - mean) scale and g = dy weight: dr = scale (g - mean(g) - n mean(g n)) + dresidual, where RMSNorm has no
 * mean(g).
 */
function normalizeBackward(
  cpu: Cpu,
  inputs: LayerNormInputs,
  grads: { dy: Tensor; dresidual?: Tensor | undefined },
  centred: boolean,
): { dx: Tensor; dweight: Tensor; dbias?: Tensor } {
  const { x, weight, eps, bias } = inputs;
  const { rows, columns } = rowsOf(x.shape);
  const r = summed(cpu, inputs);
  const [w, dy, dr] = [floats(cpu, weight), floats(cpu, grads.dy), optionalFloats(cpu, grads.dresidual)];
  const dx = allocate(resultType(x), r.length);
  const dweight = new Float64Array(columns);
  const dbias = new Float64Array(columns);
  for (let row = 0; row < rows; row++) {
    const start = row * columns;
    const { mean, scale } = moments(r, start, columns, eps, centred);
    let meanG = 0;
    let meanGn = 0;
    for (let i = 0; i < columns; i++) {
      const n = (r[start + i] - mean) * scale;
      const g = dy[start + i] * w[i];
      meanG += g / columns;
      meanGn += (g * n) / columns;
      dweight[i] += dy[start + i] * n;
      dbias[i] += dy[start + i];
    }
    if (!centred) meanG = 0;
    for (let i = 0; i < columns; i++) {
      const n = (r[start + i] - mean) * scale;
      const g = dy[start + i] * w[i];
      dx[start + i] = scale * (g - meanG - n * meanGn) + (dr ? dr[start + i] : 0);
    }
  }
  const dtype = resultType(x);
  return {
    dx: cpu.make(dx, x.shape, dtype),
    dweight: round(cpu, dweight, weight.shape, dtype),
    ...(bias && { dbias: round(cpu, dbias, bias.shape, dtype) }),
  };
}
