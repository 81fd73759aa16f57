import type { Tensor } from '@mamba-ts/backend';
import { createCpuBackend } from '@mamba-ts/cpu';
import { describe, expect, test } from 'vitest';
import { far, noGpu, numbers, validating, webgpu } from '../../../test/backends.js';
import type { WebgpuBackend } from '../../index.js';

interface Sizes {
  B?: number;
  L: number;
  D?: number;
  N?: number;
}

type Make = Pick<WebgpuBackend, 'tensor'>;

function inputsOf(backend: Make, { B = 1, L, D = 6, N = 4 }: Sizes) {
  const make = (shape: number[], seed: number) =>
    backend.tensor(
      numbers(
        shape.reduce((a, b) => a * b),
        seed,
      ),
      shape,
    );
  const A = numbers(D * N, 3).map((x) => -1 - x);
  return {
    u: make([B, L, D], 1),
    delta: make([B, L, D], 2),
    A: backend.tensor(A, [D, N]),
    B: make([B, L, N], 4),
    C: make([B, L, N], 5),
    D: make([D], 6),
    z: make([B, L, D], 7),
    deltaBias: make([D], 8),
    softplus: true,
    initialState: make([B, D, N], 9),
  };
}

describe('the number of dispatches', () => {
  const count = async (run: (backend: WebgpuBackend, L: number) => void, lengths: number[]) => {
    const backend = await validating();
    return lengths.map((L) => {
      const { dispatches } = backend.counters;
      backend.scope(() => run(backend, L));
      return backend.counters.dispatches - dispatches;
    });
  };

  test('forward: three, whatever the length', async () => {
    const forward = (backend: WebgpuBackend, L: number) => {
      backend.ops.selectiveScan(inputsOf(backend, { L }));
    };
    expect(await count(forward, [65, 512, 4096, 20000])).toEqual([3, 3, 3, 3]);
  });

  test('one pass where the sequence is short or the channels fill the device', async () => {
    const labels: string[] = [];
    const backend = await validating({ onDispatch: ({ label }) => labels.push(label.split(' ')[0]!) });
    backend.ops.selectiveScan(inputsOf(backend, { L: 64 }));
    backend.ops.selectiveScan(inputsOf(backend, { B: 16, L: 80, D: 4096, N: 1 }));
    expect(labels).toEqual(['scan-pack', 'scan-emit', 'scan-pack', 'scan-emit']);
  });

  test('backward: does not depend on the length', async () => {
    const backward = (backend: WebgpuBackend, L: number) => {
      const inputs = inputsOf(backend, { L });
      backend.ops.selectiveScanBackward(inputs, { dy: inputs.z });
    };
    const [few, ...more] = await count(backward, [65, 512, 2048]);
    // Beyond 32 chunks their sums are added in two rounds.
    expect(more.every((n) => n <= few! + 1)).toBe(true);
  });
});

describe.skipIf(noGpu)('results', () => {
  test.each([16, 32, 64])('in chunks of %i tokens, as cpu', async (scanChunk) => {
    const [backend, cpu] = [await webgpu({ scanChunk }), await createCpuBackend()];
    for (const L of [1, 15, 16, 33, 150]) {
      const [got, want] = await Promise.all(
        [backend, cpu].map(async (b) => {
          const { y, lastState } = b.ops.selectiveScan(inputsOf(b as Make, { B: 2, L }));
          return [await y.data(), await (lastState as Tensor).data()] as const;
        }),
      );
      expect(far(got![0], want![0])).toBeLessThan(1e-5);
      expect(far(got![1], want![1])).toBeLessThan(1e-5);
    }
  });

  test('with more chunks than the carry reads ahead, and packed sequences', async () => {
    const [backend, cpu] = [await webgpu({ scanChunk: 16 }), await createCpuBackend()];
    const L = 16 * 21 + 5;
    const index = Int32Array.from({ length: 2 * L }, (_, i) => Math.floor(i / 37));
    const run = async (b: WebgpuBackend | typeof cpu) => {
      const seqIdx = b.tensor(index, [2, L], 'i32');
      const { y, lastState } = b.ops.selectiveScan({ ...inputsOf(b as Make, { B: 2, L }), seqIdx });
      return [await y.data(), await (lastState as Tensor).data()] as const;
    };
    const [got, want] = [await run(backend), await run(cpu)];
    expect(far(got[0], want[0])).toBeLessThan(1e-5);
    expect(far(got[1], want[1])).toBeLessThan(1e-5);
  });

  test('backward in slices of the batch, where scratch for all would not fit one binding', async () => {
    const sizes = { B: 3, L: 70 };
    const run = async (b: WebgpuBackend) => {
      const inputs = inputsOf(b, sizes);
      const grads = b.ops.selectiveScanBackward(inputs, { dy: inputs.z, dLastState: inputs.initialState });
      const names = Object.keys(grads).sort() as (keyof typeof grads)[];
      return Promise.all(names.map(async (name) => [name, [...(await (grads[name] as Tensor).data())]]));
    };
    // One row of scratch is about 14 KB, of activations 5 KB.
    expect(await run(await webgpu({ maxBufferBytes: 20 * 1024 }))).toEqual(await run(await webgpu()));
  });
});
