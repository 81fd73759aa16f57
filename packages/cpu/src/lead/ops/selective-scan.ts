import type {
  SelectiveScanInputs,
  SelectiveScanOutputs,
  SelectiveScanStepInputs,
  Tensor,
} from '@mamba-ts/backend';
import { complexPhi1 } from '@mamba-ts/ssm';
import { allocate, type Cpu, resultType } from '../cpu.js';
import type { Floats } from '../tensor.js';
import { phi1 } from './discretize.js';
import { siluOf } from './elementwise.js';
import { type Parts, partsOf, type ScanInputs, scanInputs, softplusOf } from './scan-inputs.js';

/** h_t = exp(Δ_t A) h_{t-1} + Δ_t B_t u_t; y_t = C_t h_t + D u_t, times silu(z_t). */
export function selectiveScan(cpu: Cpu, inputs: SelectiveScanInputs): SelectiveScanOutputs {
  const scan = scanInputs(cpu, inputs);
  const { batch, channels, states, complex } = scan;
  const dtype = resultType(inputs.u);
  const shape = [batch, channels, states];
  const size = batch * channels * states;
  const last = { re: allocate(dtype, size), im: complex ? allocate(dtype, size) : undefined };
  const y = allocate(dtype, scan.u.length);
  run(scan, y, last);
  const re = cpu.make(last.re, shape, dtype);
  return {
    y: cpu.make(y, inputs.u.shape, dtype),
    lastState: last.im ? { re, im: cpu.make(last.im, shape, dtype) } : re,
  };
}

/** One token; the state is updated in place. */
export function selectiveScanStep(cpu: Cpu, inputs: SelectiveScanStepInputs): Tensor {
  const { state, ...rest } = inputs;
  const scan = scanInputs(cpu, { ...rest, initialState: state }, true);
  const y = allocate(resultType(inputs.u), scan.u.length);
  run(scan, y, partsOf(cpu, state));
  return cpu.make(y, inputs.u.shape, resultType(inputs.u));
}

/** Every channel of every sequence; `last` may be the initial state itself. */
function run(scan: ScanInputs, y: Floats, last: Parts): void {
  const { batch, length, channels, states, D, u, z } = scan;
  // The state is f64 along a sequence, whatever its type between calls.
  const h = { re: new Float64Array(states), im: new Float64Array(states) };
  for (let b = 0; b < batch; b++) {
    for (let d = 0; d < channels; d++) {
      const start = (b * channels + d) * states;
      for (let n = 0; n < states; n++) {
        h.re[n] = scan.initialState ? scan.initialState.re[start + n] : 0;
        h.im[n] = scan.initialState?.im ? scan.initialState.im[start + n] : 0;
      }
      for (let t = 0; t < length; t++) {
        const i = (b * length + t) * channels + d;
        let sum = advance(scan, b, t, d, h);
        if (D) sum += D[d] * u[i];
        y[i] = z ? sum * siluOf(z[i]) : sum;
      }
      for (let n = 0; n < states; n++) {
        last.re[start + n] = h.re[n];
        if (last.im) last.im[start + n] = h.im[n];
      }
    }
  }
}

/** Δ of one token and channel. */
export function stepSize(scan: ScanInputs, b: number, t: number, d: number): number {
  const { length, channels, delta, deltaBias, softplus } = scan;
  const raw = delta[(b * length + t) * channels + d] + (deltaBias ? deltaBias[d] : 0);
  return softplus ? softplusOf(raw) : raw;
}

/** One token of one channel: h becomes h_t. Returns C_t h_t (twice its real part if complex). */
export function advance(
  scan: ScanInputs,
  b: number,
  t: number,
  d: number,
  h: { re: Float64Array; im: Float64Array },
): number {
  const { A, B, C, u, states, length, channels, complex, zoh } = scan;
  const dt = stepSize(scan, b, t, d);
  const x = u[(b * length + t) * channels + d];
  const atA = d * states;
  const atB = B.index(b, t, d);
  const atC = C.index(b, t, d);
  if (scan.resets(b, t)) {
    h.re.fill(0);
    h.im.fill(0);
  }
  let y = 0;
  for (let n = 0; n < states; n++) {
    if (!complex) {
      const z = dt * A.re[atA + n];
      const input = (zoh ? dt * phi1(z) : dt) * B.re[atB + n] * x;
      h.re[n] = Math.exp(z) * h.re[n] + input;
      y += C.re[atC + n] * h.re[n];
      continue;
    }
    const zRe = dt * A.re[atA + n];
    const zIm = dt * A.im![atA + n];
    const radius = Math.exp(zRe);
    const aRe = radius * Math.cos(zIm);
    const aIm = radius * Math.sin(zIm);
    const [fRe, fIm] = zoh ? complexPhi1([zRe, zIm]) : [1, 0];
    const bRe = B.re[atB + n];
    const bIm = B.im ? B.im[atB + B.imShift + n] : 0;
    const re = aRe * h.re[n] - aIm * h.im[n] + dt * x * (fRe * bRe - fIm * bIm);
    const im = aRe * h.im[n] + aIm * h.re[n] + dt * x * (fRe * bIm + fIm * bRe);
    h.re[n] = re;
    h.im[n] = im;
    y += 2 * (C.re[atC + n] * re - (C.im ? C.im[atC + C.imShift + n] : 0) * im);
  }
  return y;
}
