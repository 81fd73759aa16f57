import type { LinearRecurrenceInputs, Tensor } from '@mamba-ts/backend';
import { allocate, type Cpu, floats, optionalFloats, resultType, round } from '../cpu.js';

/** h_t = a_t h_{t-1} + b_t */
export function linearRecurrence(cpu: Cpu, inputs: LinearRecurrenceInputs): { h: Tensor; lastState: Tensor } {
  const { a, algorithm = 'sequential' } = inputs;
  const [batch, length, channels] = a.shape;
  const dtype = resultType(a);
  const values = (algorithm === 'associative' ? associative : sequential)(cpu, inputs);
  const last = allocate(dtype, batch * channels);
  for (let row = 0; row < batch; row++) {
    const end = (row * length + length - 1) * channels;
    last.set(values.subarray(end, end + channels), row * channels);
  }
  return { h: round(cpu, values, a.shape, dtype), lastState: cpu.make(last, [batch, channels], dtype) };
}

/** g_t = dh_t + a_{t+1} g_{t+1}; da_t = g_t h_{t-1}; db_t = g_t */
export function linearRecurrenceBackward(
  cpu: Cpu,
  inputs: LinearRecurrenceInputs,
  grads: { dh: Tensor; dLastState?: Tensor | undefined },
): { da: Tensor; db: Tensor; dInitialState?: Tensor } {
  const { a, b, initialState } = inputs;
  const [batch, length, channels] = a.shape;
  const dtype = resultType(a);
  const h = sequential(cpu, inputs);
  const [as, h0] = [floats(cpu, a), optionalFloats(cpu, initialState)];
  const [dh, dLast] = [floats(cpu, grads.dh), optionalFloats(cpu, grads.dLastState)];
  const da = allocate(dtype, h.length);
  const db = allocate(dtype, h.length);
  const dInitial = new Float64Array(batch * channels);
  for (let row = 0; row < batch; row++) {
    for (let d = 0; d < channels; d++) {
      const state = row * channels + d;
      let g = dLast ? dLast[state] : 0;
      for (let t = length - 1; t >= 0; t--) {
        const i = (row * length + t) * channels + d;
        g += dh[i];
        db[i] = g;
        da[i] = g * (t > 0 ? h[i - channels] : h0 ? h0[state] : 0);
        g *= as[i];
      }
      dInitial[state] = g;
    }
  }
  return {
    da: cpu.make(da, a.shape, dtype),
    db: cpu.make(db, b.shape, dtype),
    ...(initialState && { dInitialState: round(cpu, dInitial, initialState.shape, dtype) }),
  };
}

function sequential(cpu: Cpu, { a, b, initialState }: LinearRecurrenceInputs): Float64Array {
  const [batch, length, channels] = a.shape;
  const [as, bs, h0] = [floats(cpu, a), floats(cpu, b), optionalFloats(cpu, initialState)];
  const h = new Float64Array(as.length);
  for (let row = 0; row < batch; row++) {
    for (let d = 0; d < channels; d++) {
      let state = h0 ? h0[row * channels + d] : 0;
      for (let t = 0; t < length; t++) {
        const i = (row * length + t) * channels + d;
        state = as[i] * state + bs[i];
        h[i] = state;
      }
    }
  }
  return h;
}

/**
 * The same as a scan with the associative operator (a, b) then (a', b') = (a' a, a' b + b'), in log2(L) rounds (Hillis and
 * Steele): after the round of distance s, each token holds the composition of the last 2 s of them. This is the form that
 * parallel machines compute.
 */
function associative(cpu: Cpu, { a, b, initialState }: LinearRecurrenceInputs): Float64Array {
  const [batch, length, channels] = a.shape;
  const h0 = optionalFloats(cpu, initialState);
  const decay = Float64Array.from(floats(cpu, a));
  const value = Float64Array.from(floats(cpu, b));
  for (let distance = 1; distance < length; distance *= 2) {
    for (let row = 0; row < batch; row++) {
      // From the end, so that what is read is still of the round before.
      for (let t = length - 1; t >= distance; t--) {
        for (let d = 0; d < channels; d++) {
          const i = (row * length + t) * channels + d;
          const before = i - distance * channels;
          value[i] += decay[i] * value[before];
          decay[i] *= decay[before];
        }
      }
    }
  }
  if (h0) {
    for (let i = 0; i < value.length; i++) {
      const row = Math.floor(i / (length * channels));
      value[i] += decay[i] * h0[row * channels + (i % channels)];
    }
  }
  return value;
}
