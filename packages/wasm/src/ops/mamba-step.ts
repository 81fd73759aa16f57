import { checkMambaStep, INT8_BLOCK } from '@mamba-ts/backend';
import { LINE } from '../layout.js';
import type { Job } from '../runtime.js';
import { Kind, type WasmTensor } from '../tensor.js';
import { convStepJob } from './causal-conv1d.js';
import { hasFewRows, type Linear, multiplyJobs, prepareJobs, STREAM, workspace } from './linear.js';
import { normJob } from './norm.js';
import { addressOf, ceilDiv, type Op, own } from './op.js';
import { scanStepJob } from './selective-scan/fast.js';

/**
 * One token through norm and block: the kernels of the ops that it stands for, as one sequence that JavaScript hands over once.
 * What lies between them is in one block of memory, and nothing is copied: rows of u, z, Δ, B and C are read where the products
 * put them. The channels are divided among the threads alike in all that is done channel by channel, from the input projection to
 * the convolution, and from Δ to the gate: there no thread waits for another, and finds in its own cache what it computed.
 */
export const mambaStep: Op<'mambaStep'> = (runtime, inputs) => {
  const { batch, model, channels, width, rank, states } = checkMambaStep(inputs);
  const projected = rank + 2 * states;
  const y = runtime.empty(inputs.x.shape);
  const sum = inputs.residual && runtime.empty(inputs.x.shape);
  const [inProj, xProj, dtProj, outProj] = [inputs.inProj, inputs.xProj, inputs.dtProj, inputs.outProj].map(
    own,
  );
  // Two in turns: the chain of one product already prepares x for the next, while other threads still read what it was prepared from.
  const first = Math.max(
    workspace({ weight: inProj, m: batch, k: model }),
    workspace({ weight: dtProj, m: batch, k: rank }),
  );
  const second = Math.max(
    workspace({ weight: xProj, m: batch, k: channels }),
    workspace({ weight: outProj, m: batch, k: channels }),
  );
  const sizes = [model, 2 * channels, channels, projected, channels, channels].map(
    (width) => 4 * batch * width,
  );
  const bytes = [...sizes, first, second].map((size) => LINE * ceilDiv(size, LINE));
  runtime.withMemory(
    bytes.reduce((total, size) => total + size, 0),
    (start) => {
      let next = start;
      const [normed, xz, u, xdbl, delta, scanned, space, otherSpace] = bytes.map((size) => {
        next += size;
        return next - size;
      });
      const product = (x: number, stride: number, weight: WasmTensor, to: number, n: number, k: number) =>
        ({ x, stride, weight, bias: 0, y: to, m: batch, n, k }) satisfies Linear;
      const toChannels = product(normed, model, inProj, xz, 2 * channels, model);
      const toSmall = product(u, channels, xProj, xdbl, projected, channels);
      const toDelta = product(xdbl, projected, dtProj, delta, channels, rank);
      const toModel = product(scanned, channels, outProj, addressOf(y), model, channels);
      // Whole panels, and whole blocks of what is prepared.
      const unit = [xProj, outProj].some(({ kind }) => kind === Kind.int8) ? INT8_BLOCK : 16;
      const turns = Math.max(1, Math.floor(inProj.bytes / (runtime.threads * STREAM)));
      const each = unit * ceilDiv(channels, unit * runtime.threads * turns);
      const split = { rows: each, part: channels };
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
        ...prepareJobs(toChannels, space),
        ...multiplyJobs(runtime, toChannels, space, split),
        {
          ...convStepJob({
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
            each,
          }),
          chained: hasFewRows(toChannels),
        },
        ...prepareJobs(toSmall, otherSpace, each).map(chained),
        ...multiplyJobs(runtime, toSmall, otherSpace),
        ...prepareJobs(toDelta, space),
        ...multiplyJobs(runtime, toDelta, space, split),
        {
          ...scanStepJob({
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
            each,
          }),
          chained: hasFewRows(toDelta),
        },
        ...prepareJobs(toModel, otherSpace, each).map(chained),
        ...multiplyJobs(runtime, toModel, otherSpace),
      ]);
    },
  );
  return { y, residual: sum ?? inputs.x };
};

function chained(job: Job): Job {
  return { ...job, chained: true };
}
