import type { MambaStepInputs } from '@mamba-ts/backend';
import { describe, expect, test } from 'vitest';
import { noGpu, numbers, validating, webgpu } from '../../test/backends.js';
import { expectCode } from '../../test/expect-code.js';
import type { WebgpuBackend } from '../index.js';

// That the figures are right is said by the conformance suite.

function inputsOf(backend: WebgpuBackend, model: number, channels: number, rank: number): MambaStepInputs {
  const [batch, width, states] = [1, 4, 16];
  let seed = 0;
  const make = (shape: number[], dtype: 'f32' | 'f16' = 'f32') =>
    backend.tensor(
      numbers(
        shape.reduce((a, b) => a * b),
        ++seed,
      ),
      shape,
      dtype,
    );
  return {
    x: make([batch, model]),
    residual: make([batch, model]),
    normWeight: make([model]),
    eps: 1e-5,
    inProj: make([2 * channels, model], 'f16'),
    convWeight: make([channels, width]),
    convBias: make([channels]),
    convState: make([batch, width - 1, channels]),
    xProj: make([rank + 2 * states, channels], 'f16'),
    dtProj: make([channels, rank], 'f16'),
    dtBias: make([channels]),
    A: make([channels, states]),
    D: make([channels]),
    state: make([batch, channels, states]),
    outProj: make([model, channels], 'f16'),
  };
}

describe.skipIf(noGpu)('mambaStep', () => {
  test('gives the same tensor as the residual when none was given', async () => {
    const backend = await webgpu();
    const { residual: _, ...inputs } = inputsOf(backend, 24, 40, 8);
    expect(backend.ops.mambaStep(inputs).residual).toBe(inputs.x);
  });
});

test('is four dispatches', async () => {
  const backend = await validating();
  const inputs = inputsOf(backend, 768, 1536, 48);
  const { dispatches } = backend.counters;
  backend.ops.mambaStep(inputs);
  expect(backend.counters.dispatches - dispatches).toBe(4);
});

test('what does not fit is refused, and leaves nothing', async () => {
  const backend = await validating();
  const inputs = inputsOf(backend, 24, 40, 8);
  const before = backend.memory();
  expectCode('SHAPE', () => backend.ops.mambaStep({ ...inputs, outProj: backend.zeros([1, 1]) }));
  expect(backend.memory().tensors).toBe(before.tensors + 1);
});
