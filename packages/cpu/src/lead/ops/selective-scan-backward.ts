import {
  isComplex,
  type MaybeComplex,
  type SelectiveScanGradients,
  type SelectiveScanInputs,
  sizeOf,
  type Tensor,
} from '@mamba-ts/backend';
import { complexPhi1 } from '@mamba-ts/ssm';
import { allocate, type Cpu, floats, resultType, round } from '../cpu.js';
import type { Floats } from '../tensor.js';
import { complexPhi1Slope, phi1, phi1Slope } from './discretize.js';
import { sigmoid, siluOf, siluSlope } from './elementwise.js';
import { partsOf, type ScanInputs, scanInputs } from './scan-inputs.js';
import { advance, stepSize } from './selective-scan.js';

/**
 * Tokens between the states that are kept. A channel's states are computed forward once, keeping one in CHUNK; then each
 * chunk, from the last to the first, is computed again from its first state. Scratch is one channel's: L / CHUNK + CHUNK
 * states, never [L, D, N].
 */
const CHUNK = 64;

/** Sums over tokens, channels and batch, in f64 until the end. `im` is a part of its own, or `re` where packed in turn. */
interface Sums {
  readonly re: Float64Array;
  readonly im: Float64Array | undefined;
}

interface Gradients {
  readonly du: Floats;
  readonly ddelta: Floats;
  readonly dz: Floats | undefined;
  readonly dA: Sums;
  readonly dB: Sums;
  readonly dC: Sums;
  readonly dD: Float64Array;
  readonly dDeltaBias: Float64Array;
  readonly dInitialState: Sums;
}

/** States of the tokens of one chunk: h before the token, for each token and one more. */
interface Chunk {
  readonly re: Float64Array;
  readonly im: Float64Array;
  /** C_t h_t + D u_t, before the gate. */
  readonly y: Float64Array;
}

export function selectiveScanBackward(
  cpu: Cpu,
  inputs: SelectiveScanInputs,
  grads: { dy: Tensor; dLastState?: MaybeComplex | undefined },
): SelectiveScanGradients {
  const scan = scanInputs(cpu, inputs);
  const { batch, length, channels, states, complex } = scan;
  const dtype = resultType(inputs.u);
  const dy = floats(cpu, grads.dy);
  const dLast = grads.dLastState && partsOf(cpu, grads.dLastState);
  const stateShape = [batch, channels, states];
  const sums: Gradients = {
    du: allocate(dtype, dy.length),
    ddelta: allocate(dtype, dy.length),
    dz: scan.z && allocate(dtype, dy.length),
    dA: sumsFor(inputs.A, complex),
    dB: sumsFor(inputs.B, scan.B.im !== undefined),
    dC: sumsFor(inputs.C, scan.C.im !== undefined),
    dD: new Float64Array(channels),
    dDeltaBias: new Float64Array(channels),
    dInitialState: {
      re: new Float64Array(sizeOf(stateShape)),
      im: complex ? new Float64Array(sizeOf(stateShape)) : undefined,
    },
  };

  const tokens = Math.min(CHUNK, length);
  const chunk: Chunk = {
    re: new Float64Array((tokens + 1) * states),
    im: new Float64Array((tokens + 1) * states),
    y: new Float64Array(tokens),
  };
  const chunks = Math.ceil(length / CHUNK);
  const kept = { re: new Float64Array(chunks * states), im: new Float64Array(chunks * states) };
  const h = { re: new Float64Array(states), im: new Float64Array(states) };
  const g = { re: new Float64Array(states), im: new Float64Array(states) };

  for (let b = 0; b < batch; b++) {
    for (let d = 0; d < channels; d++) {
      const start = (b * channels + d) * states;
      for (let n = 0; n < states; n++) {
        h.re[n] = scan.initialState ? scan.initialState.re[start + n] : 0;
        h.im[n] = scan.initialState?.im ? scan.initialState.im[start + n] : 0;
        g.re[n] = dLast ? dLast.re[start + n] : 0;
        g.im[n] = dLast?.im ? dLast.im[start + n] : 0;
      }
      for (let t = 0; t < length; t++) {
        if (t % CHUNK === 0) {
          kept.re.set(h.re, (t / CHUNK) * states);
          kept.im.set(h.im, (t / CHUNK) * states);
        }
        if (t < (chunks - 1) * CHUNK) advance(scan, b, t, d, h);
      }
      for (let c = chunks - 1; c >= 0; c--) {
        const from = c * CHUNK;
        const to = Math.min(from + CHUNK, length);
        h.re.set(kept.re.subarray(c * states, (c + 1) * states));
        h.im.set(kept.im.subarray(c * states, (c + 1) * states));
        chunk.re.set(h.re);
        chunk.im.set(h.im);
        for (let t = from; t < to; t++) {
          const k = t - from;
          chunk.y[k] = advance(scan, b, t, d, h);
          chunk.re.set(h.re, (k + 1) * states);
          chunk.im.set(h.im, (k + 1) * states);
        }
        for (let t = to - 1; t >= from; t--) retreat(scan, dy, sums, chunk, t - from, b, t, d, g);
      }
      sums.dInitialState.re.set(g.re, start);
      sums.dInitialState.im?.set(g.im, start);
    }
  }

  const { u } = inputs;
  const { D, z, deltaBias, initialState } = inputs;
  return {
    du: cpu.make(sums.du, u.shape, dtype),
    ddelta: cpu.make(sums.ddelta, u.shape, dtype),
    dA: likeInput(cpu, inputs.A, sums.dA, dtype),
    dB: likeInput(cpu, inputs.B, sums.dB, dtype),
    dC: likeInput(cpu, inputs.C, sums.dC, dtype),
    ...(D && { dD: round(cpu, sums.dD, D.shape, dtype) }),
    ...(z && sums.dz && { dz: cpu.make(sums.dz, z.shape, dtype) }),
    ...(deltaBias && { dDeltaBias: round(cpu, sums.dDeltaBias, deltaBias.shape, dtype) }),
    ...(initialState && { dInitialState: likeInput(cpu, initialState, sums.dInitialState, dtype) }),
  };
}

/**
 * One token backward: on entry g is the gradient of h_t from later tokens, on return that of h_{t-1}. Gradients of complex
 * numbers are dL/dRe + i dL/dIm, so a factor's gradient is g times the conjugate of the other factor.
 */
function retreat(
  scan: ScanInputs,
  dy: Floats,
  sums: Gradients,
  chunk: Chunk,
  k: number,
  b: number,
  t: number,
  d: number,
  g: { re: Float64Array; im: Float64Array },
): void {
  const { A, B, C, D, u, z, states, length, channels, complex, zoh } = scan;
  const i = (b * length + t) * channels + d;
  const dt = stepSize(scan, b, t, d);
  const x = u[i];
  const atA = d * states;
  const atB = B.index(b, t, d);
  const atC = C.index(b, t, d);
  const before = k * states;
  const after = before + states;
  const reset = scan.resets(b, t);

  let dOut = dy[i];
  if (z && sums.dz) {
    const ungated = chunk.y[k] + (D ? D[d] * x : 0);
    sums.dz[i] = dOut * ungated * siluSlope(z[i]);
    dOut *= siluOf(z[i]);
  }
  let du = 0;
  if (D) {
    du = D[d] * dOut;
    sums.dD[d] += dOut * x;
  }
  let ddt = 0;
  for (let n = 0; n < states; n++) {
    if (!complex) {
      const a = A.re[atA + n];
      const bn = B.re[atB + n];
      const decay = Math.exp(dt * a);
      const factor = zoh ? dt * phi1(dt * a) : dt;
      const old = reset ? 0 : chunk.re[before + n];
      const gn = g.re[n] + dOut * C.re[atC + n];
      sums.dC.re[atC + n] += dOut * chunk.re[after + n];
      sums.dB.re[atB + n] += gn * factor * x;
      du += gn * factor * bn;
      const dFactor = gn * bn * x;
      const dDecay = gn * old * decay;
      ddt += dDecay * a + dFactor * (zoh ? decay : 1);
      sums.dA.re[atA + n] += dDecay * dt + (zoh ? dFactor * dt * dt * phi1Slope(dt * a) : 0);
      g.re[n] = reset ? 0 : gn * decay;
      continue;
    }
    const aRe = A.re[atA + n];
    const aIm = A.im![atA + n];
    const bRe = B.re[atB + n];
    const bIm = B.im ? B.im[atB + B.imShift + n] : 0;
    const cRe = C.re[atC + n];
    const cIm = C.im ? C.im[atC + C.imShift + n] : 0;
    const hRe = chunk.re[after + n];
    const hIm = chunk.im[after + n];
    const radius = Math.exp(dt * aRe);
    const eRe = radius * Math.cos(dt * aIm);
    const eIm = radius * Math.sin(dt * aIm);
    const [pRe, pIm] = zoh ? complexPhi1([dt * aRe, dt * aIm]) : [1, 0];
    const [fRe, fIm] = [dt * pRe, dt * pIm];
    const gRe = g.re[n] + 2 * dOut * cRe;
    const gIm = g.im[n] - 2 * dOut * cIm;
    sums.dC.re[atC + n] += 2 * dOut * hRe;
    if (sums.dC.im) sums.dC.im[atC + C.imShift + n] -= 2 * dOut * hIm;
    // The input is (f B) x with real x: w = g x is the gradient of f B.
    const [wRe, wIm] = [gRe * x, gIm * x];
    sums.dB.re[atB + n] += wRe * fRe + wIm * fIm;
    if (sums.dB.im) sums.dB.im[atB + B.imShift + n] += wIm * fRe - wRe * fIm;
    du += gRe * (fRe * bRe - fIm * bIm) + gIm * (fRe * bIm + fIm * bRe);
    const [dfRe, dfIm] = [wRe * bRe + wIm * bIm, wIm * bRe - wRe * bIm];
    // The decay is e^{dt A}: its gradient times its conjugate is that of dt A.
    const oldRe = reset ? 0 : chunk.re[before + n];
    const oldIm = reset ? 0 : chunk.im[before + n];
    const [deRe, deIm] = [gRe * oldRe + gIm * oldIm, gIm * oldRe - gRe * oldIm];
    const [dzRe, dzIm] = [deRe * eRe + deIm * eIm, deIm * eRe - deRe * eIm];
    ddt += dzRe * aRe + dzIm * aIm;
    let dARe = dzRe * dt;
    let dAIm = dzIm * dt;
    if (zoh) {
      ddt += dfRe * eRe + dfIm * eIm;
      const [sRe, sIm] = complexPhi1Slope(dt * aRe, dt * aIm);
      dARe += dt * dt * (dfRe * sRe + dfIm * sIm);
      dAIm += dt * dt * (dfIm * sRe - dfRe * sIm);
    } else {
      ddt += dfRe;
    }
    sums.dA.re[atA + n] += dARe;
    sums.dA.im![atA + n] += dAIm;
    g.re[n] = reset ? 0 : gRe * eRe + gIm * eIm;
    g.im[n] = reset ? 0 : gIm * eRe - gRe * eIm;
  }
  sums.du[i] = du;
  const raw = scan.delta[i] + (scan.deltaBias ? scan.deltaBias[d] : 0);
  const dRaw = scan.softplus && raw <= 20 ? ddt * sigmoid(raw) : ddt;
  sums.ddelta[i] = dRaw;
  sums.dDeltaBias[d] += dRaw;
}

/** Zeros of the layout of `x`. A real tensor that packs complex rows in turn holds both parts. */
function sumsFor(x: MaybeComplex, complex: boolean): Sums {
  if (isComplex(x)) {
    const size = sizeOf(x.re.shape);
    return { re: new Float64Array(size), im: new Float64Array(size) };
  }
  const re = new Float64Array(sizeOf(x.shape));
  return { re, im: complex ? re : undefined };
}

function likeInput(cpu: Cpu, x: MaybeComplex, { re, im }: Sums, dtype: 'f32' | 'f64'): MaybeComplex {
  if (!isComplex(x)) return round(cpu, re, x.shape, dtype);
  return { re: round(cpu, re, x.re.shape, dtype), im: round(cpu, im!, x.im.shape, dtype) };
}
