import { checkS4dKernel, checkS4dKernelBackward } from '@mamba-ts/backend';
import { complexPhi1 } from '@mamba-ts/ssm';
import { accumulator, store } from '../accumulate.js';
import { floats } from '../cpu-tensor.js';
import type { Kernel } from '../kernel.js';
import { complexPhi1Slope } from '../phi.js';

/** K_l = 2 Re sum_n w_n e^{x_n l}, with x = dt A and w = C (e^x - 1) / A = C dt φ₁(x). */
export const s4dKernel: Kernel<'s4dKernel'> = (make, inputs) => {
  const { dtype, channels, stateSize, length } = checkS4dKernel(inputs);
  const dt = floats(inputs.dt);
  const aRe = floats(inputs.A.re);
  const aIm = floats(inputs.A.im);
  const cRe = floats(inputs.C.re);
  const cIm = floats(inputs.C.im);
  const kernel = make([channels, length], dtype);
  const values = floats(kernel);
  const sums = new Float64Array(length);
  for (let d = 0; d < channels; d++) {
    sums.fill(0);
    for (let i = d * stateSize; i < (d + 1) * stateSize; i++) {
      const xRe = dt[d] * aRe[i];
      const xIm = dt[d] * aIm[i];
      const phi = complexPhi1([xRe, xIm]);
      const wRe = dt[d] * (cRe[i] * phi[0] - cIm[i] * phi[1]);
      const wIm = dt[d] * (cRe[i] * phi[1] + cIm[i] * phi[0]);
      for (let l = 0; l < length; l++) {
        sums[l] += 2 * Math.exp(xRe * l) * (wRe * Math.cos(xIm * l) - wIm * Math.sin(xIm * l));
      }
    }
    values.set(sums, d * length);
  }
  return kernel;
};

/**
 * With G = sum_l 2 dK_l conj(e^{xl}), the gradient of w, and H = conj(w) sum_l 2 dK_l l conj(e^{xl}), that of x: since
 * dw/ddt = C e^x and dw/dA = C dt² φ₁'(x),
 * dC = G conj(dt φ₁), ddt = Re(G conj(C e^x) + H conj(A)), dA = G conj(C dt² φ₁') + dt H.
 */
export const s4dKernelBackward: Kernel<'s4dKernelBackward'> = (make, inputs, grads) => {
  const { dtype, channels, stateSize, length } = checkS4dKernelBackward(inputs, grads);
  const dkernel = floats(grads.dkernel);
  const dt = floats(inputs.dt);
  const aRe = floats(inputs.A.re);
  const aIm = floats(inputs.A.im);
  const cRe = floats(inputs.C.re);
  const cIm = floats(inputs.C.im);
  const ddt = make([channels], dtype);
  const matrix = () => make([channels, stateSize], dtype);
  const dA = { re: matrix(), im: matrix() };
  const dC = { re: matrix(), im: matrix() };
  const dtSums = accumulator(ddt);
  for (let d = 0; d < channels; d++) {
    const step = dt[d];
    for (let i = d * stateSize; i < (d + 1) * stateSize; i++) {
      const xRe = step * aRe[i];
      const xIm = step * aIm[i];
      let gRe = 0;
      let gIm = 0;
      let tRe = 0;
      let tIm = 0;
      for (let l = 0; l < length; l++) {
        const radius = 2 * dkernel[d * length + l] * Math.exp(xRe * l);
        const re = radius * Math.cos(xIm * l);
        const im = -radius * Math.sin(xIm * l);
        gRe += re;
        gIm += im;
        tRe += l * re;
        tIm += l * im;
      }
      const phi = complexPhi1([xRe, xIm]);
      const exp = [Math.exp(xRe) * Math.cos(xIm), Math.exp(xRe) * Math.sin(xIm)] as const;
      const slope = complexPhi1Slope([xRe, xIm], exp, phi);
      const wRe = step * (cRe[i] * phi[0] - cIm[i] * phi[1]);
      const wIm = step * (cRe[i] * phi[1] + cIm[i] * phi[0]);
      const hRe = tRe * wRe + tIm * wIm;
      const hIm = tIm * wRe - tRe * wIm;
      // q = G conj(C)
      const qRe = gRe * cRe[i] + gIm * cIm[i];
      const qIm = gIm * cRe[i] - gRe * cIm[i];
      floats(dC.re)[i] = step * (gRe * phi[0] + gIm * phi[1]);
      floats(dC.im)[i] = step * (gIm * phi[0] - gRe * phi[1]);
      dtSums[d] += qRe * exp[0] + qIm * exp[1] + hRe * aRe[i] + hIm * aIm[i];
      floats(dA.re)[i] = step * (step * (qRe * slope[0] + qIm * slope[1]) + hRe);
      floats(dA.im)[i] = step * (step * (qIm * slope[0] - qRe * slope[1]) + hIm);
    }
  }
  store(dtSums, ddt);
  return { ddt, dA, dC };
};
