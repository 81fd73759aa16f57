import type { OpName, Ops, OptionalOpName, OptionalOps } from '@mamba-ts/backend';

/** What an optional op stands for, in ops that every backend has: how the oracle computes it. */
export interface Definition<K extends OptionalOpName> {
  /** The ops that it takes. */
  readonly by: readonly OpName[];
  /** Absent where no ops make it: its cases bring what they expect. */
  run?(ops: Ops, inputs: Parameters<OptionalOps[K]>[0]): ReturnType<OptionalOps[K]>;
}

const DEFINITIONS: { readonly [K in OptionalOpName]: Definition<K> } = {
  mambaStep: {
    by: ['rmsNorm', 'linear', 'split', 'causalConv1dStep', 'selectiveScanStep'],
    run(ops, inputs) {
      const { x, residual, normWeight, eps, convBias, convState, xProj, dtProj, A, D, state } = inputs;
      const [channels, rank] = dtProj.shape;
      const states = A.shape[1];
      const normed = ops.rmsNorm({ x, residual, weight: normWeight, eps });
      const xz = ops.linear({ x: normed.y, weight: inputs.inProj });
      const [before, z] = ops.split({ x: xz, sizes: [channels, channels], axis: 1 });
      const u = ops.causalConv1dStep({
        x: before,
        weight: inputs.convWeight,
        bias: convBias,
        activation: 'silu',
        state: convState,
      });
      const projected = ops.linear({ x: u, weight: xProj });
      const [dt, B, C] = ops.split({ x: projected, sizes: [rank, states, states], axis: 1 });
      const delta = ops.linear({ x: dt, weight: dtProj });
      const deltaBias = inputs.dtBias;
      const y = ops.selectiveScanStep({ u, delta, A, B, C, D, z, deltaBias, softplus: true, state });
      return { y: ops.linear({ x: y, weight: inputs.outProj }), residual: normed.residual };
    },
  },
  sample: { by: [] },
};

/** Undefined for an op that every backend has. */
export function definitionOf(op: OpName | OptionalOpName): Definition<OptionalOpName> | undefined {
  return op in DEFINITIONS ? DEFINITIONS[op as OptionalOpName] : undefined;
}
