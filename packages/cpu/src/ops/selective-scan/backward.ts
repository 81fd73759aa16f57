import { checkSelectiveScanBackward } from '@mamba-ts/backend';
import { accumulator, store } from '../../accumulate.js';
import { floats } from '../../cpu-tensor.js';
import type { Kernel } from '../../kernel.js';
import { silu, siluSlope } from '../../math.js';
import { gradientOf, storeGradient } from './gradients.js';
import { newToken, recurrenceOf } from './recurrence.js';
import {
  makeState,
  partsOf,
  readChannel,
  readScan,
  readState,
  readToken,
  stepSlope,
  writeState,
} from './scan.js';

/**
 * Tokens whose states are held at a time. A first pass over a channel keeps its state before each chunk; then, last chunk
 * first, the states of a chunk are computed again and the gradients run back through it. So a channel needs
 * (L / CHUNK + 2 CHUNK) N numbers, where storing every state would take L N for each of D channels.
 */
const CHUNK = 64;

export const selectiveScanBackward: Kernel<'selectiveScanBackward'> = (make, inputs, grads) => {
  const dims = checkSelectiveScanBackward(inputs, grads);
  const { dtype, batch, length, channels, stateSize } = dims;
  const scan = readScan(inputs, dims);
  const { z, D } = scan;
  const recurrence = recurrenceOf(scan);
  const dy = floats(grads.dy);
  const dLastState = grads.dLastState && partsOf(grads.dLastState);

  const du = make(inputs.u.shape, dtype);
  const ddelta = make(inputs.delta.shape, dtype);
  const dz = inputs.z && make(inputs.z.shape, dtype);
  const dD = inputs.D && make([channels], dtype);
  const dDeltaBias = inputs.deltaBias && make([channels], dtype);
  const dInitialState = inputs.initialState && makeState(make, dims);
  const dA = gradientOf(make, inputs.A, false);
  const dB = gradientOf(make, inputs.B, dims.B.packing === 'interleaved');
  const dC = gradientOf(make, inputs.C, dims.C.packing === 'interleaved');
  const uValues = floats(du);
  const deltaValues = floats(ddelta);
  const zValues = dz && floats(dz);
  const skipSums = dD && accumulator(dD);
  const biasSums = dDeltaBias && accumulator(dDeltaBias);
  const sums = { dA, dB, dC };

  const { width } = recurrence;
  const steps = new Float64Array(length);
  const boundaries = new Float64Array(Math.ceil(length / CHUNK) * width);
  // Row i is the state before token i of the chunk, row i + 1 the one after it.
  const states = new Float64Array((CHUNK + 1) * width);
  const decays = new Float64Array(CHUNK * width);
  const h = new Float64Array(width);
  const carry = new Float64Array(width);
  const token = newToken();

  for (let b = 0; b < batch; b++) {
    for (let d = 0; d < channels; d++) {
      const stateAt = (b * channels + d) * stateSize;
      const channel = readChannel(scan, b, d, steps);
      readState(scan.initialState, stateAt, stateSize, h);
      for (let t = 0; t < length; t++) {
        if (t % CHUNK === 0) boundaries.set(h, (t / CHUNK) * width);
        readToken(scan, channel, t, token);
        recurrence.update(token, h, 0, h, 0, decays, 0);
      }

      readState(dLastState, stateAt, stateSize, carry);
      for (let from = (Math.ceil(length / CHUNK) - 1) * CHUNK; from >= 0; from -= CHUNK) {
        const to = Math.min(from + CHUNK, length);
        const boundaryAt = (from / CHUNK) * width;
        states.set(boundaries.subarray(boundaryAt, boundaryAt + width));
        for (let t = from; t < to; t++) {
          const at = (t - from) * width;
          readToken(scan, channel, t, token);
          recurrence.update(token, states, at, states, at + width, decays, at);
        }
        for (let t = to - 1; t >= from; t--) {
          const at = (b * length + t) * channels + d;
          const before = (t - from) * width;
          readToken(scan, channel, t, token);
          token.dy = dy[at];
          if (z && zValues) {
            const sum = recurrence.output(token, states, before + width) + (D ? D[d] * token.u : 0);
            zValues[at] = dy[at] * sum * siluSlope(z[at]);
            token.dy *= silu(z[at]);
          }
          recurrence.pullBack(token, states, before, states, before + width, decays, before, carry, sums);
          const rawGradient = token.dstep * stepSlope(scan, b, d, t);
          uValues[at] = token.du + (D ? D[d] * token.dy : 0);
          deltaValues[at] = rawGradient;
          if (skipSums) skipSums[d] += token.dy * token.u;
          if (biasSums) biasSums[d] += rawGradient;
        }
      }
      if (dInitialState) writeState(carry, partsOf(dInitialState), stateAt, stateSize);
    }
  }

  for (const gradient of [dA, dB, dC]) storeGradient(gradient);
  if (dD && skipSums) store(skipSums, dD);
  if (dDeltaBias && biasSums) store(biasSums, dDeltaBias);
  return {
    du,
    ddelta,
    dA: dA.tensor,
    dB: dB.tensor,
    dC: dC.tensor,
    ...(dD && { dD }),
    ...(dz && { dz }),
    ...(dDeltaBias && { dDeltaBias }),
    ...(dInitialState && { dInitialState }),
  };
};
