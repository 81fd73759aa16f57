import type { Backend, MambaStepInputs, OpNeed } from '@mamba-ts/backend';
import { createCpuBackend } from '@mamba-ts/cpu';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { relativeError, someIds, take } from '../test/compare.js';
import { variants } from '../test/variants.js';
import { MambaLM } from './lm.js';

let backend: Backend;
beforeEach(async () => {
  backend = await createCpuBackend();
});
afterEach(() => backend.dispose());

/** The backend with a `mambaStep` put together from its ops, which counts its calls. */
function withMambaStep(backend: Backend, supported: (need: OpNeed) => boolean = () => true) {
  const { ops } = backend;
  let calls = 0;
  const mambaStep = (inputs: MambaStepInputs) => {
    calls++;
    return backend.scope(() => {
      const [channels, rank] = inputs.dtProj.shape as [number, number];
      const states = inputs.A.shape[1]!;
      const { x, residual, normWeight, eps, A, D, state } = inputs;
      const normed = ops.rmsNorm({ x, residual, weight: normWeight, eps });
      const xz = ops.linear({ x: normed.y, weight: inputs.inProj });
      const [before, z] = ops.split({ x: xz, sizes: [channels, channels], axis: 1 });
      const { convWeight: weight, convBias: bias, convState } = inputs;
      const u = ops.causalConv1dStep({ x: before!, weight, bias, activation: 'silu', state: convState });
      const low = ops.linear({ x: u, weight: inputs.xProj });
      const [dt, B, C] = ops.split({ x: low, sizes: [rank, states, states], axis: 1 });
      const delta = ops.linear({ x: dt!, weight: inputs.dtProj });
      const scan = { u, delta, A, B: B!, C: C!, D, z, deltaBias: inputs.dtBias, softplus: true };
      const y = ops.selectiveScanStep({ ...scan, state });
      return { y: ops.linear({ x: y, weight: inputs.outProj }), residual: normed.residual };
    });
  };
  const fused: Backend = Object.assign(Object.create(backend), {
    ops: { ...ops, mambaStep },
    supports: (op: Parameters<Backend['supports']>[0], need: OpNeed = {}) =>
      op === 'mambaStep' ? supported(need) : backend.supports(op, need),
    scope: <T>(run: () => T) => backend.scope(run),
    tensor: (...args: Parameters<Backend['tensor']>) => backend.tensor(...args),
    zeros: (...args: Parameters<Backend['zeros']>) => backend.zeros(...args),
    memory: () => backend.memory(),
  });
  return { fused, calls: () => calls };
}

describe.each(variants)('decoding %s on a backend with mambaStep', (name, config) => {
  it(name === 'mamba' ? 'is one op a block' : 'is step by step: the op does not compute this', async () => {
    const { fused, calls } = withMambaStep(backend);
    const [got, want] = [
      await MambaLM.create(config, { backend: fused, seed: 3 }),
      await MambaLM.create(config, { backend, seed: 3 }),
    ];
    const [state, other] = [got.createState(2), want.createState(2)];
    for (let t = 0; t < 3; t++) {
      const ids = someIds(2, 13, t);
      const logits = await take(got.step(ids, state).logits);
      expect(relativeError(logits, await take(want.step(ids, other).logits))).toBeLessThan(1e-6);
    }
    expect(calls()).toBe(name === 'mamba' ? 3 * got.config.nLayer : 0);
    expect(Buffer.from(await state.save()).equals(await other.save())).toBe(true);
  });
});

describe('a backend that has mambaStep for some types', () => {
  it('is asked for each projection', async () => {
    const asked = new Set<string | undefined>();
    const { fused, calls } = withMambaStep(backend, ({ weight }) => {
      asked.add(weight);
      return weight === 'int8';
    });
    const lm = await MambaLM.create(variants[0]![1], { backend: fused, dtype: 'int8' });
    lm.step([1], lm.createState()).logits.dispose();
    expect([...asked]).toEqual(['int8', 'f16']);
    expect(calls()).toBe(0);
  });
});
