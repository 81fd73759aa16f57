import {
  checkLinearRecurrence,
  checkLinearRecurrenceBackward,
  type LinearRecurrenceInputs,
} from '@mamba-ts/backend';
import { readColumn, writeColumn } from '../columns.js';
import { floats, optionalFloats } from '../cpu-tensor.js';
import type { Kernel } from '../kernel.js';

/** h_t = a_t h_{t-1} + b_t, each channel of each batch row by itself. */
export const linearRecurrence: Kernel<'linearRecurrence'> = (make, inputs) => {
  const { dtype, batch, length, channels } = checkLinearRecurrence(inputs);
  const solve = solvers[inputs.algorithm ?? 'sequential'];
  const initialState = optionalFloats(inputs.initialState);
  const h = make([batch, length, channels], dtype);
  const lastState = make([batch, channels], dtype);
  const a = new Float64Array(length);
  const b = new Float64Array(length);
  for (let column = 0; column < batch * channels; column++) {
    readColumn(inputs.a, column, a);
    readColumn(inputs.b, column, b);
    const states = solve(a, b, initialState ? initialState[column] : 0);
    writeColumn(h, column, states);
    floats(lastState)[column] = states[length - 1];
  }
  return { h, lastState };
};

/**
 * g_t = dh_t + a_{t+1} g_{t+1}: the same recurrence, backwards in time. Then db_t = g_t, da_t = g_t h_{t-1}, and the initial
 * state's gradient is a_0 g_0.
 */
export const linearRecurrenceBackward: Kernel<'linearRecurrenceBackward'> = (make, inputs, grads) => {
  const { dtype, batch, length, channels } = checkLinearRecurrenceBackward(inputs, grads);
  const solve = solvers[inputs.algorithm ?? 'sequential'];
  const initialState = optionalFloats(inputs.initialState);
  const dLastState = optionalFloats(grads.dLastState);
  const da = make([batch, length, channels], dtype);
  const db = make([batch, length, channels], dtype);
  const dInitialState = inputs.initialState && make([batch, channels], dtype);
  const a = new Float64Array(length);
  const b = new Float64Array(length);
  const dh = new Float64Array(length);
  const later = new Float64Array(length);
  for (let column = 0; column < batch * channels; column++) {
    readColumn(inputs.a, column, a);
    readColumn(inputs.b, column, b);
    readColumn(grads.dh, column, dh);
    if (dLastState) dh[length - 1] += dLastState[column];
    const initial = initialState ? initialState[column] : 0;
    const states = solve(a, b, initial);

    // Reversed in time, token t meets the decay of the token after it; the first one meets none.
    dh.reverse();
    later[0] = 0;
    for (let t = 1; t < length; t++) later[t] = a[length - t];
    const g = solve(later, dh, 0).reverse();

    writeColumn(db, column, g);
    if (dInitialState) floats(dInitialState)[column] = a[0] * g[0];
    for (let t = length - 1; t >= 0; t--) g[t] *= t > 0 ? states[t - 1] : initial;
    writeColumn(da, column, g);
  }
  return { da, db, ...(dInitialState && { dInitialState }) };
};

type Solver = (a: Float64Array, b: Float64Array, initial: number) => Float64Array;

const solvers: Record<NonNullable<LinearRecurrenceInputs['algorithm']>, Solver> = {
  sequential(a, b, initial) {
    const h = new Float64Array(b.length);
    let state = initial;
    for (let t = 0; t < h.length; t++) {
      state = a[t] * state + b[t];
      h[t] = state;
    }
    return h;
  },

  associative(a, b, initial) {
    const first = b.slice();
    first[0] += a[0] * initial;
    return associativeScan(a, first);
  },
};

/**
 * The states from zero, by the associative (a₁, b₁) ∘ (a₂, b₂) = (a₂ a₁, a₂ b₁ + b₂) (Blelloch 1990): neighbours are
 * joined, half as many pairs are solved the same way, which gives every second state, and the others follow in one step
 * each. O(L) work in O(log L) dependent rounds, which is what parallel backends are after.
 */
function associativeScan(a: Float64Array, b: Float64Array): Float64Array {
  const length = b.length;
  if (length === 1) return b.slice();
  const half = length >> 1;
  const joinedA = new Float64Array(half);
  const joinedB = new Float64Array(half);
  for (let i = 0; i < half; i++) {
    const second = 2 * i + 1;
    joinedA[i] = a[second] * a[second - 1];
    joinedB[i] = a[second] * b[second - 1] + b[second];
  }
  const odd = associativeScan(joinedA, joinedB);
  const h = new Float64Array(length);
  h[0] = b[0];
  for (let i = 0; i < half; i++) h[2 * i + 1] = odd[i];
  for (let t = 2; t < length; t += 2) h[t] = a[t] * h[t - 1] + b[t];
  return h;
}
