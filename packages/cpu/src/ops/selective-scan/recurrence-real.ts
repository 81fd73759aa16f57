import { phi1, phi1Slope } from '../../phi.js';
import type { Recurrence } from './recurrence.js';
import type { Scan } from './scan.js';

/** Real A: h_t[n] = e^{Δ A[n]} h_{t-1}[n] + w B[n] u, with w = Δ, or Δ φ₁(Δ A) under zero-order hold. */
export function realRecurrence(scan: Scan): Recurrence {
  const N = scan.stateSize;
  const A = scan.A.re;
  const B = scan.B.re;
  const C = scan.C.re;
  const zoh = scan.discretization === 'zoh';
  return {
    width: N,

    update({ channel, u, step, reset, bAt }, from, fromAt, to, toAt, decays, decaysAt) {
      const aAt = channel * N;
      for (let n = 0; n < N; n++) {
        const x = step * A[aAt + n];
        const decay = Math.exp(x);
        const w = zoh ? step * phi1(x) : step;
        decays[decaysAt + n] = decay;
        to[toAt + n] = (reset ? 0 : decay * from[fromAt + n]) + w * B[bAt + n] * u;
      }
    },

    output({ cAt }, h, at) {
      let sum = 0;
      for (let n = 0; n < N; n++) sum += C[cAt + n] * h[at + n];
      return sum;
    },

    pullBack(token, before, beforeAt, after, afterAt, decays, decaysAt, carry, sums) {
      const { channel, u, step, reset, bAt, cAt, dy } = token;
      const dA = sums.dA.re;
      const dB = sums.dB.re;
      const dC = sums.dC.re;
      const aAt = channel * N;
      let du = 0;
      let dstep = 0;
      for (let n = 0; n < N; n++) {
        const a = A[aAt + n];
        const decay = decays[decaysAt + n];
        const g = carry[n] + dy * C[cAt + n];
        const gb = g * B[bAt + n];
        const gDecayed = reset ? 0 : g * decay * before[beforeAt + n];
        // dw/dΔ is e^{ΔA} under zero-order hold, dw/dA is Δ² φ₁'(ΔA).
        const w = zoh ? step * phi1(step * a) : step;
        du += gb * w;
        dstep += gDecayed * a + gb * u * (zoh ? decay : 1);
        dA[aAt + n] += gDecayed * step + (zoh ? gb * u * step * step * phi1Slope(step * a) : 0);
        dB[bAt + n] += g * w * u;
        dC[cAt + n] += dy * after[afterAt + n];
        carry[n] = reset ? 0 : g * decay;
      }
      token.du = du;
      token.dstep = dstep;
    },
  };
}
