import type {
  CausalConv1dInputs,
  CausalConv1dOutputs,
  CausalConv1dStepInputs,
  Tensor,
} from '@mamba-ts/backend';
import { allocate, type Cpu, floats, ints, optionalFloats, resultType, round } from '../cpu.js';
import { siluOf, siluSlope } from './elementwise.js';

function taps(cpu: Cpu, { x, weight, bias, initialState, seqIdx }: CausalConv1dInputs) {
  const [batch, length, channels] = x.shape;
  const width = weight.shape[1];
  const states = width - 1;
  const xs = floats(cpu, x);
  const [w, bs] = [floats(cpu, weight), optionalFloats(cpu, bias)];
  const initial = optionalFloats(cpu, initialState);
  const sequence = seqIdx === undefined ? undefined : ints(cpu, seqIdx);
  const counts = (b: number, s: number, t: number): boolean =>
    (s >= 0 || initial !== undefined) &&
    (sequence === undefined || sequence[b * length + Math.max(s, 0)] === sequence[b * length + t]);
  const at = (b: number, s: number, t: number, d: number): number => {
    if (!counts(b, s, t)) return 0;
    return s >= 0 ? xs[(b * length + s) * channels + d] : initial![(b * states + states + s) * channels + d];
  };
  const before = allocate(resultType(x), batch * length * channels);
  for (let b = 0; b < batch; b++)
    for (let t = 0; t < length; t++)
      for (let d = 0; d < channels; d++) {
        let sum = bs ? bs[d] : 0;
        for (let k = 0; k < width; k++) sum += w[d * width + k] * at(b, t - states + k, t, d);
        before[(b * length + t) * channels + d] = sum;
      }
  return { counts, at, before, w, batch, length, channels, width, states };
}

export function causalConv1d(cpu: Cpu, inputs: CausalConv1dInputs): CausalConv1dOutputs {
  const { at, before, batch, length, channels, states } = taps(cpu, inputs);
  const dtype = resultType(inputs.x);
  const y = inputs.activation === 'silu' ? before.map(siluOf) : before;
  const last = allocate(dtype, batch * states * channels);
  for (let b = 0; b < batch; b++)
    for (let j = 0; j < states; j++)
      for (let d = 0; d < channels; d++)
        last[(b * states + j) * channels + d] = at(b, length - states + j, length - 1, d);
  return {
    y: cpu.make(y, inputs.x.shape, dtype),
    lastState: cpu.make(last, [batch, states, channels], dtype),
  };
}

export function causalConv1dBackward(
  cpu: Cpu,
  inputs: CausalConv1dInputs,
  grads: { dy: Tensor; dLastState?: Tensor | undefined },
): { dx: Tensor; dweight: Tensor; dbias?: Tensor; dInitialState?: Tensor } {
  const { x, weight, bias, activation, initialState } = inputs;
  const { counts, at, before, w, batch, length, channels, width, states } = taps(cpu, inputs);
  const [dy, dLast] = [floats(cpu, grads.dy), optionalFloats(cpu, grads.dLastState)];
  const dx = new Float64Array(before.length);
  const dInitial = new Float64Array(batch * states * channels);
  const dweight = new Float64Array(channels * width);
  const dbias = new Float64Array(channels);
  const give = (b: number, s: number, t: number, d: number, value: number): void => {
    if (!counts(b, s, t)) return;
    if (s >= 0) dx[(b * length + s) * channels + d] += value;
    else dInitial[(b * states + states + s) * channels + d] += value;
  };
  for (let b = 0; b < batch; b++) {
    for (let t = 0; t < length; t++)
      for (let d = 0; d < channels; d++) {
        const i = (b * length + t) * channels + d;
        const g = activation === 'silu' ? dy[i] * siluSlope(before[i]) : dy[i];
        dbias[d] += g;
        for (let k = 0; k < width; k++) {
          dweight[d * width + k] += g * at(b, t - states + k, t, d);
          give(b, t - states + k, t, d, g * w[d * width + k]);
        }
      }
    if (dLast)
      for (let j = 0; j < states; j++)
        for (let d = 0; d < channels; d++)
          give(b, length - states + j, length - 1, d, dLast[(b * states + j) * channels + d]);
  }
  const dtype = resultType(x);
  return {
    dx: round(cpu, dx, x.shape, dtype),
    dweight: round(cpu, dweight, weight.shape, dtype),
    ...(bias && { dbias: round(cpu, dbias, bias.shape, dtype) }),
    ...(initialState && { dInitialState: round(cpu, dInitial, initialState.shape, dtype) }),
  };
}

export function causalConv1dStep(cpu: Cpu, inputs: CausalConv1dStepInputs): Tensor {
  const { x, weight, bias, activation, state } = inputs;
  const [batch, channels] = x.shape;
  const width = weight.shape[1];
  const [xs, w, b, past] = [
    floats(cpu, x),
    floats(cpu, weight),
    optionalFloats(cpu, bias),
    floats(cpu, state),
  ];
  const y = allocate(resultType(x), xs.length);
  for (let row = 0; row < batch; row++) {
    const window = past.subarray(row * (width - 1) * channels, (row + 1) * (width - 1) * channels);
    const now = xs.subarray(row * channels, (row + 1) * channels);
    for (let d = 0; d < channels; d++) {
      let sum = b ? b[d] : 0;
      for (let k = 0; k < width - 1; k++) sum += w[d * width + k] * window[k * channels + d];
      sum += w[d * width + width - 1] * now[d];
      y[row * channels + d] = activation === 'silu' ? siluOf(sum) : sum;
    }
    if (width > 1) {
      window.copyWithin(0, channels);
      window.set(now, (width - 2) * channels);
    }
  }
  return cpu.make(y, x.shape, resultType(x));
}
