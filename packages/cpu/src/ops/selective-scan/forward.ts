import { checkSelectiveScan, checkSelectiveScanStep } from '@mamba-ts/backend';
import { type Floats, floats } from '../../cpu-tensor.js';
import type { Kernel } from '../../kernel.js';
import { silu } from '../../math.js';
import { newToken, recurrenceOf } from './recurrence.js';
import {
  makeState,
  type Parts,
  partsOf,
  readChannel,
  readScan,
  readState,
  readToken,
  type Scan,
  writeState,
} from './scan.js';

export const selectiveScan: Kernel<'selectiveScan'> = (make, inputs) => {
  const dims = checkSelectiveScan(inputs);
  const y = make(inputs.u.shape, dims.dtype);
  const lastState = makeState(make, dims);
  forward(readScan(inputs, dims), floats(y), partsOf(lastState));
  return { y, lastState };
};

/** One token: a scan of length 1 whose last state replaces its initial one. */
export const selectiveScanStep: Kernel<'selectiveScanStep'> = (make, inputs) => {
  const dims = checkSelectiveScanStep(inputs);
  const y = make(inputs.u.shape, dims.dtype);
  forward(readScan({ ...inputs, initialState: inputs.state }, dims), floats(y), partsOf(inputs.state));
  return y;
};

/** `lastState` may be the initial one: each channel's is read before it is written. */
function forward(scan: Scan, y: Floats, lastState: Parts): void {
  const { batch, length, channels, stateSize, z, D } = scan;
  const recurrence = recurrenceOf(scan);
  const steps = new Float64Array(length);
  const h = new Float64Array(recurrence.width);
  const decays = new Float64Array(recurrence.width);
  const token = newToken();
  for (let b = 0; b < batch; b++) {
    for (let d = 0; d < channels; d++) {
      const stateAt = (b * channels + d) * stateSize;
      const channel = readChannel(scan, b, d, steps);
      readState(scan.initialState, stateAt, stateSize, h);
      for (let t = 0; t < length; t++) {
        const at = (b * length + t) * channels + d;
        readToken(scan, channel, t, token);
        recurrence.update(token, h, 0, h, 0, decays, 0);
        const sum = recurrence.output(token, h, 0) + (D ? D[d] * token.u : 0);
        y[at] = z ? sum * silu(z[at]) : sum;
      }
      writeState(h, lastState, stateAt, stateSize);
    }
  }
}
