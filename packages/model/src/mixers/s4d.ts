import type { ComplexTensor, SelectiveScanInputs, Tensor } from '@mamba-ts/backend';
import { initDt } from '@mamba-ts/ssm';
import { stateColumns } from '../config/config.js';
import { constant, normal, repeatRow } from '../parameters/init.js';
import type { ParameterSpec } from '../parameters/spec.js';
import type { Mixer, MixerInputs, Run } from './mixer.js';

/**
 * S4D (arXiv 2206.11893), the linear time-invariant mixer: complex diagonal A from S4D-Lin, -1/2 + i pi n, zero-order hold,
 * B = 1. N / 2 conjugate pairs a channel.
 *
 * One system, two ways to run it: as a convolution with its kernel (training: no state goes in or out), and as a scan with
 * a constant Δ (prefill and decoding carry the state; packed sequences reset it).
 */
export const s4d: Mixer = {
  parameters(config) {
    const { dInner, dtMin, dtMax, dtInitFloor } = config;
    const n = stateColumns(config);
    const vector = (
      name: string,
      shape: number[],
      decay: boolean,
      init: ParameterSpec['init'],
    ): ParameterSpec => ({ name, shape, role: 'vector', decay, init });
    const matrix = [dInner, n];
    return [
      vector('log_dt', [dInner], false, (random) =>
        initDt(dInner, random, { dtMin, dtMax, floor: dtInitFloor }).map(Math.log),
      ),
      vector('log_A_real', matrix, false, constant(dInner * n, Math.log(0.5))),
      vector(
        'A_imag',
        matrix,
        false,
        repeatRow(
          dInner,
          Array.from({ length: n }, (_, k) => Math.PI * k),
        ),
      ),
      vector('C_re', matrix, true, normal(dInner * n, Math.SQRT1_2)),
      vector('C_im', matrix, true, normal(dInner * n, Math.SQRT1_2)),
      vector('D', [dInner], false, constant(dInner, 1)),
    ];
  },

  constants({ ops, dtype }, weights) {
    const A = { re: ops.exp({ x: weights['log_A_real']!, sign: -1 }), im: weights['A_imag']! };
    return {
      A,
      B: ops.fill({ shape: A.re.shape, value: 1, dtype }),
      C: { re: weights['C_re']!, im: weights['C_im']! },
      D: weights['D']!,
      deltaBias: ops.exp({ x: weights['log_dt']! }),
      discretization: 'zoh',
    };
  },

  forward(run, inputs) {
    const { initialState, seqIdx, wantState } = inputs;
    if (!wantState && !initialState && !seqIdx) return { y: convolve(run, inputs) };
    return run.ops.selectiveScan({ ...scanInputs(run, inputs), initialState, seqIdx });
  },

  step(run, inputs) {
    const constant = ['B', 'C'] as const;
    return run.ops.selectiveScanStep({ ...scanInputs(run, inputs), constant, state: inputs.state });
  },
};

function scanInputs({ ops, dtype }: Run, { constants, u, z }: MixerInputs): SelectiveScanInputs {
  const delta = ops.fill({ shape: u.shape, value: 0, dtype });
  return { ...constants, B: constants.B!, C: constants.C!, u, delta, z };
}

/** y = (K * u + D u) silu(z) */
function convolve({ ops }: Run, { constants, u, z }: MixerInputs): Tensor {
  const kernel = ops.s4dKernel({
    dt: constants.deltaBias!,
    A: constants.A as ComplexTensor,
    C: constants.C as ComplexTensor,
    length: u.shape[1]!,
  });
  const y = ops.longConv({ x: u, kernel, D: constants.D });
  return z ? ops.mul({ a: y, b: ops.silu({ x: z }) }) : y;
}
