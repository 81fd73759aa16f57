import type { MaybeComplex, SelectiveScanInputs, Tensor } from '@mamba-ts/backend';
import { initDtBias, s4dRealALog } from '@mamba-ts/ssm';
import { type MambaConfig, stateColumns } from '../config/config.js';
import { constant, kaimingUniform, normal, repeatRow, uniform } from '../parameters/init.js';
import type { ParameterSpec } from '../parameters/spec.js';
import type { Mixer, MixerInputs, Run, Weights } from './mixer.js';

/**
 * S6, the selective state space model of Mamba (arXiv 2312.00752, section 3): Δ, B and C are functions of the input.
 *
 * Ablations (tables 7 and 8 of the paper): what is not selective becomes a parameter of its own (`dt_proj.bias` alone for
 * Δ, `B`, `C` [D, N] as in S4D); complex A has N / 2 conjugate pairs from -1/2 + n i, the paper's complex default.
 */
export const s6: Mixer = {
  parameters(config) {
    const { dInner, dtRank, dtMin, dtMax, dtInitFloor, dtScale, selective } = config;
    const specs: ParameterSpec[] = [];
    const rows = projectionSizes(config).reduce((sum, size) => sum + size, 0);
    if (rows > 0) {
      specs.push({
        name: 'x_proj.weight',
        shape: [rows, dInner],
        role: 'projection',
        decay: true,
        init: kaimingUniform(rows * dInner, dInner),
      });
    }
    if (selective.delta) {
      const bound = dtScale / Math.sqrt(dtRank);
      specs.push({
        name: 'dt_proj.weight',
        shape: [dInner, dtRank],
        role: 'projection',
        decay: true,
        init: (config.dtInit === 'random' ? uniform : constant)(dInner * dtRank, bound),
      });
    }
    const vector = (name: string, shape: number[], init: ParameterSpec['init'], decay: boolean) =>
      specs.push({ name, shape, role: 'vector', decay, init });
    vector(
      'dt_proj.bias',
      [dInner],
      (random) => initDtBias(dInner, random, { dtMin, dtMax, floor: dtInitFloor }),
      true,
    );
    const n = stateColumns(config);
    if (config.complexA) {
      vector('A_log', [dInner, n], constant(dInner * n, Math.log(0.5)), false);
      vector('A_imag', [dInner, n], repeatRow(dInner, [...Array(n).keys()]), false);
    } else {
      vector('A_log', [dInner, n], () => s4dRealALog(dInner, n), false);
    }
    if (!selective.B) {
      vector(config.complexA ? 'B_re' : 'B', [dInner, n], constant(dInner * n, 1), false);
      if (config.complexA) vector('B_im', [dInner, n], constant(dInner * n, 0), false);
    }
    if (!selective.C) {
      // Of variance 1 in all, as torch's complex normal.
      const c = normal(dInner * n, config.complexA ? Math.SQRT1_2 : 1);
      for (const name of config.complexA ? ['C_re', 'C_im'] : ['C']) vector(name, [dInner, n], c, true);
    }
    vector('D', [dInner], constant(dInner, 1), false);
    return specs;
  },

  constants({ ops, config }, weights) {
    const { selective, complexA } = config;
    const re = ops.exp({ x: weights['A_log']!, sign: -1 });
    return {
      A: complexA ? { re, im: weights['A_imag']! } : re,
      ...(selective.B ? {} : { B: constantOf('B', weights, complexA) }),
      ...(selective.C ? {} : { C: constantOf('C', weights, complexA) }),
      D: weights['D']!,
      deltaBias: weights['dt_proj.bias']!,
      softplus: true,
    };
  },

  forward(run, inputs) {
    const { initialState, seqIdx } = inputs;
    return run.ops.selectiveScan({ ...scanInputs(run, inputs), initialState, seqIdx });
  },

  step(run, inputs) {
    const { B, C } = run.config.selective;
    const constant = [...(B ? [] : (['B'] as const)), ...(C ? [] : (['C'] as const))];
    return run.ops.selectiveScanStep({ ...scanInputs(run, inputs), constant, state: inputs.state });
  },
};

/** Rows of `x_proj`, in its order Δ, B, C. */
function projectionSizes({ selective, dtRank, dState }: MambaConfig): number[] {
  return [
    ...(selective.delta ? [dtRank] : []),
    ...(selective.B ? [dState] : []),
    ...(selective.C ? [dState] : []),
  ];
}

function constantOf(name: 'B' | 'C', weights: Weights, complex: boolean): MaybeComplex {
  return complex ? { re: weights[`${name}_re`]!, im: weights[`${name}_im`]! } : weights[name]!;
}

/** Projects Δ, B and C out of u. The same for a sequence [B, L, D] and for a token [B, D]. */
function scanInputs(run: Run, { weights, constants, u, z }: MixerInputs): SelectiveScanInputs {
  const { ops, config, dtype } = run;
  const axis = u.shape.length - 1;
  const sizes = projectionSizes(config);
  const projected = (
    sizes.length > 0
      ? ops.split({ x: ops.linear({ x: u, weight: weights['x_proj.weight']! }), sizes, axis })
      : []
  ).values();
  const next = (): Tensor => projected.next().value!;
  const matrix = (): MaybeComplex => {
    if (!config.complexA) return next();
    const half = config.dState / 2;
    const [re, im] = ops.split({ x: next(), sizes: [half, half], axis });
    return { re: re!, im: im! };
  };
  const delta: Tensor = config.selective.delta
    ? ops.linear({ x: next(), weight: weights['dt_proj.weight']! })
    : ops.fill({ shape: u.shape, value: 0, dtype });
  const B = constants.B ?? matrix();
  const C = constants.C ?? matrix();
  return { ...constants, u, delta, B, C, z };
}
