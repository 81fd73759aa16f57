import type { ComplexTensor, S4dKernelInputs, Tensor } from '@mamba-ts/backend';
import { complexPhi1 } from '@mamba-ts/ssm';
import { type Cpu, floats, resultType, round } from '../cpu.js';
import { complexPhi1Slope } from './discretize.js';
import { partsOf } from './scan-inputs.js';

/** K[d, l] = 2 Re sum_n w_n e^{z_n l}, with z = dt A and w = C (e^z - 1) / A = C dt φ₁(z) */
export function s4dKernel(cpu: Cpu, { dt, A, C, length }: S4dKernelInputs): Tensor {
  const [channels, states] = A.re.shape;
  const [steps, a, c] = [floats(cpu, dt), partsOf(cpu, A), partsOf(cpu, C)];
  const kernel = new Float64Array(channels * length);
  for (let d = 0; d < channels; d++) {
    for (let n = 0; n < states; n++) {
      const i = d * states + n;
      const [zRe, zIm] = [steps[d] * a.re[i], steps[d] * a.im![i]];
      const [pRe, pIm] = complexPhi1([zRe, zIm]);
      const wRe = steps[d] * (c.re[i] * pRe - c.im![i] * pIm);
      const wIm = steps[d] * (c.re[i] * pIm + c.im![i] * pRe);
      for (let l = 0; l < length; l++) {
        const radius = Math.exp(zRe * l);
        kernel[d * length + l] += 2 * radius * (wRe * Math.cos(zIm * l) - wIm * Math.sin(zIm * l));
      }
    }
  }
  return round(cpu, kernel, [channels, length], resultType(dt));
}

export function s4dKernelBackward(
  cpu: Cpu,
  { dt, A, C, length }: S4dKernelInputs,
  grads: { dkernel: Tensor },
): { ddt: Tensor; dA: ComplexTensor; dC: ComplexTensor } {
  const [channels, states] = A.re.shape;
  const [steps, a, c] = [floats(cpu, dt), partsOf(cpu, A), partsOf(cpu, C)];
  const dk = floats(cpu, grads.dkernel);
  const ddt = new Float64Array(channels);
  const dA = { re: new Float64Array(channels * states), im: new Float64Array(channels * states) };
  const dC = { re: new Float64Array(channels * states), im: new Float64Array(channels * states) };
  for (let d = 0; d < channels; d++) {
    const step = steps[d];
    for (let n = 0; n < states; n++) {
      const i = d * states + n;
      const [aRe, aIm, cRe, cIm] = [a.re[i], a.im![i], c.re[i], c.im![i]];
      const [zRe, zIm] = [step * aRe, step * aIm];
      const [pRe, pIm] = complexPhi1([zRe, zIm]);
      const wRe = step * (cRe * pRe - cIm * pIm);
      const wIm = step * (cRe * pIm + cIm * pRe);
      // dw = 2 sum dK conj(e^{z l}); dz gets conj(w) 2 sum dK l conj(e^{z l}).
      let [dwRe, dwIm, sRe, sIm] = [0, 0, 0, 0];
      for (let l = 0; l < length; l++) {
        const scale = 2 * dk[d * length + l] * Math.exp(zRe * l);
        const re = scale * Math.cos(zIm * l);
        const im = -scale * Math.sin(zIm * l);
        dwRe += re;
        dwIm += im;
        sRe += l * re;
        sIm += l * im;
      }
      const dzRe = wRe * sRe + wIm * sIm;
      const dzIm = wRe * sIm - wIm * sRe;
      dC.re[i] = step * (dwRe * pRe + dwIm * pIm);
      dC.im[i] = step * (dwIm * pRe - dwRe * pIm);
      // f = dt φ₁(dt A) is what C is multiplied with: df/d(dt) = e^z, df/dA = dt² φ₁'(z).
      const dfRe = dwRe * cRe + dwIm * cIm;
      const dfIm = dwIm * cRe - dwRe * cIm;
      const radius = Math.exp(zRe);
      ddt[d] += dzRe * aRe + dzIm * aIm + radius * (dfRe * Math.cos(zIm) + dfIm * Math.sin(zIm));
      const [qRe, qIm] = complexPhi1Slope(zRe, zIm);
      dA.re[i] = step * dzRe + step * step * (dfRe * qRe + dfIm * qIm);
      dA.im[i] = step * dzIm + step * step * (dfIm * qRe - dfRe * qIm);
    }
  }
  const dtype = resultType(dt);
  const pair = ({ re, im }: { re: Float64Array; im: Float64Array }): ComplexTensor => ({
    re: round(cpu, re, A.re.shape, dtype),
    im: round(cpu, im, A.re.shape, dtype),
  });
  return { ddt: round(cpu, ddt, dt.shape, dtype), dA: pair(dA), dC: pair(dC) };
}
