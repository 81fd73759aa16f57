import { checkMambaStep } from '@mamba-ts/backend';
import { LINE } from '../layout.js';
import type { WasmTensor } from '../tensor.js';
import { convStepJob } from './causal-conv1d.js';
import { type Linear, linearJobs, workspace } from './linear.js';
import { normJob } from './norm.js';
import { addressOf, ceilDiv, type Op, own } from './op.js';
import { scanStepJob } from './selective-scan/fast.js';

/**
 * One token through norm and block: the kernels of the ops that it stands for, as one sequence that JavaScript hands over once.
 * What lies between them is in one block of memory, and nothing is copied: rows of u, z, Δ, B and C are read where the products
 * put them.
 */
export const mambaStep: Op<'mambaStep'> = (runtime, inputs) => {
  const { batch, model, channels, width, rank, states } = checkMambaStep(inputs);
  const projected = rank + 2 * states;
  const y = runtime.empty(inputs.x.shape);
  const sum = inputs.residual && runtime.empty(inputs.x.shape);
  const [inProj, xProj, dtProj, outProj] = [inputs.inProj, inputs.xProj, inputs.dtProj, inputs.outProj].map(
    own,
  );
  const space = Math.max(
    workspace({ weight: inProj, m: batch, k: model }),
    workspace({ weight: xProj, m: batch, k: channels }),
    workspace({ weight: dtProj, m: batch, k: rank }),
    workspace({ weight: outProj, m: batch, k: channels }),
  );
  const sizes = [model, 2 * channels, channels, projected, channels, channels].map(
    (width) => 4 * batch * width,
  );
  const bytes = [...sizes, space].map((size) => LINE * ceilDiv(size, LINE));
  runtime.withMemory(
    bytes.reduce((total, size) => total + size, 0),
    (first) => {
      let next = first;
      const [normed, xz, u, xdbl, delta, scanned, free] = bytes.map((size) => {
        next += size;
        return next - size;
      });
      const multiply = (x: number, stride: number, weight: WasmTensor, to: number, n: number, k: number) => {
        const product: Linear = { x, stride, weight, bias: 0, y: to, m: batch, n, k };
        return linearJobs(runtime, product, free);
      };
      runtime.runSequence([
        normJob({
          x: addressOf(inputs.x),
          residual: addressOf(inputs.residual),
          weight: addressOf(inputs.normWeight),
          bias: 0,
          y: normed,
          sum: addressOf(sum),
          rows: batch,
          channels: model,
          center: false,
          eps: inputs.eps,
        }),
        ...multiply(normed, model, inProj, xz, 2 * channels, model),
        convStepJob({
          x: xz,
          stride: 2 * channels,
          weight: addressOf(inputs.convWeight),
          bias: addressOf(inputs.convBias),
          state: addressOf(inputs.convState),
          silu: true,
          y: u,
          batch,
          channels,
          width,
        }),
        ...multiply(u, channels, xProj, xdbl, projected, channels),
        ...multiply(xdbl, projected, dtProj, delta, channels, rank),
        scanStepJob(runtime, {
          u,
          delta,
          A: addressOf(inputs.A),
          B: xdbl + 4 * rank,
          C: xdbl + 4 * (rank + states),
          D: addressOf(inputs.D),
          z: xz + 4 * channels,
          deltaBias: addressOf(inputs.dtBias),
          state: addressOf(inputs.state),
          y: scanned,
          batch,
          channels,
          states,
          bGroups: 1,
          cGroups: 1,
          softplus: true,
          zStride: 2 * channels,
          bStride: projected,
          cStride: projected,
        }),
        ...multiply(scanned, channels, outProj, addressOf(y), model, channels),
      ]);
    },
  );
  return { y, residual: sum ?? inputs.x };
};
