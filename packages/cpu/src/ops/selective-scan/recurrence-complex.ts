import { complexPhi1 } from '@mamba-ts/ssm';
import { complexPhi1Slope } from '../../phi.js';
import type { Recurrence } from './recurrence.js';
import type { Scan } from './scan.js';

/**
 * Complex A: the same recurrence; each state stands for itself and its conjugate, so that C h counts twice its real part.
 * Gradients are dL/dRe + i dL/dIm: that of a product is the gradient times the conjugate of the other factor.
 */
export function complexRecurrence(scan: Scan): Recurrence {
  const N = scan.stateSize;
  const { A, B, C } = scan;
  const aRe = A.re;
  const aIm = A.im!;
  const zoh = scan.discretization === 'zoh';
  return {
    width: 2 * N,

    update({ channel, u, step, reset, bAt }, from, fromAt, to, toAt, decays, decaysAt) {
      const aAt = channel * N;
      for (let n = 0; n < N; n++) {
        const xRe = step * aRe[aAt + n];
        const xIm = step * aIm[aAt + n];
        const radius = Math.exp(xRe);
        const decayRe = radius * Math.cos(xIm);
        const decayIm = radius * Math.sin(xIm);
        decays[decaysAt + n] = decayRe;
        decays[decaysAt + N + n] = decayIm;
        let wRe = step;
        let wIm = 0;
        if (zoh) {
          const phi = complexPhi1([xRe, xIm]);
          wRe = step * phi[0];
          wIm = step * phi[1];
        }
        const bRe = B.re[bAt + n];
        const bIm = B.im ? B.im[bAt + B.imOffset + n] : 0;
        let re = (wRe * bRe - wIm * bIm) * u;
        let im = (wRe * bIm + wIm * bRe) * u;
        if (!reset) {
          const hRe = from[fromAt + n];
          const hIm = from[fromAt + N + n];
          re += decayRe * hRe - decayIm * hIm;
          im += decayRe * hIm + decayIm * hRe;
        }
        to[toAt + n] = re;
        to[toAt + N + n] = im;
      }
    },

    output({ cAt }, h, at) {
      let sum = 0;
      for (let n = 0; n < N; n++) {
        sum += C.re[cAt + n] * h[at + n];
        if (C.im) sum -= C.im[cAt + C.imOffset + n] * h[at + N + n];
      }
      return 2 * sum;
    },

    pullBack(token, before, beforeAt, after, afterAt, decays, decaysAt, carry, { dA, dB, dC }) {
      const { channel, u, step, reset, bAt, cAt, dy } = token;
      const aAt = channel * N;
      let du = 0;
      let dstep = 0;
      for (let n = 0; n < N; n++) {
        const ar = aRe[aAt + n];
        const ai = aIm[aAt + n];
        const bRe = B.re[bAt + n];
        const bIm = B.im ? B.im[bAt + B.imOffset + n] : 0;
        const cRe = C.re[cAt + n];
        const cIm = C.im ? C.im[cAt + C.imOffset + n] : 0;
        const decayRe = decays[decaysAt + n];
        const decayIm = decays[decaysAt + N + n];

        // g = carry + 2 dy conj(C), and dC = 2 dy conj(h).
        const gRe = carry[n] + 2 * dy * cRe;
        const gIm = carry[N + n] - 2 * dy * cIm;
        dC.re[cAt + n] += 2 * dy * after[afterAt + n];
        if (dC.im) dC.im[cAt + C.imOffset + n] -= 2 * dy * after[afterAt + N + n];

        // By way of e^{ΔA} h: with p = g conj(e^{ΔA} h), dΔ = Re(p conj(A)) and dA = Δ p.
        let pRe = 0;
        let pIm = 0;
        if (!reset) {
          const hRe = before[beforeAt + n];
          const hIm = before[beforeAt + N + n];
          const decayedRe = decayRe * hRe - decayIm * hIm;
          const decayedIm = decayRe * hIm + decayIm * hRe;
          pRe = gRe * decayedRe + gIm * decayedIm;
          pIm = gIm * decayedRe - gRe * decayedIm;
        }
        dstep += pRe * ar + pIm * ai;
        let dARe = step * pRe;
        let dAIm = step * pIm;

        // By way of w B u: with q = g conj(B), du = Re(q conj(w)), dΔ = Re(q conj(dw/dΔ)) u, dA = q conj(dw/dA) u.
        const qRe = gRe * bRe + gIm * bIm;
        const qIm = gIm * bRe - gRe * bIm;
        let wRe = step;
        let wIm = 0;
        if (zoh) {
          const x = [step * ar, step * ai] as const;
          const phi = complexPhi1(x);
          const slope = complexPhi1Slope(x, [decayRe, decayIm], phi);
          wRe = step * phi[0];
          wIm = step * phi[1];
          dstep += (qRe * decayRe + qIm * decayIm) * u;
          dARe += (qRe * slope[0] + qIm * slope[1]) * step * step * u;
          dAIm += (qIm * slope[0] - qRe * slope[1]) * step * step * u;
        } else {
          dstep += qRe * u;
        }
        du += qRe * wRe + qIm * wIm;
        dA.re[aAt + n] += dARe;
        dA.im![aAt + n] += dAIm;
        dB.re[bAt + n] += (gRe * wRe + gIm * wIm) * u;
        if (dB.im) dB.im[bAt + B.imOffset + n] += (gIm * wRe - gRe * wIm) * u;

        carry[n] = reset ? 0 : gRe * decayRe + gIm * decayIm;
        carry[N + n] = reset ? 0 : gIm * decayRe - gRe * decayIm;
      }
      token.du = du;
      token.dstep = dstep;
    },
  };
}
