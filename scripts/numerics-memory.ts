import type { Backend } from '../packages/backend/src/index.js';

export const [CHANNELS, STATES] = [256, 16];

/**
 * What a scan forward and backward allocates in all, inputs included, in f32 tensors of [L, D]; B = 1, D = 256, N = 16, all
 * options. For the reference backend, which allocates typed arrays and nothing else. No less than what lives at the peak.
 */
export function scanMemory(backend: Backend, length: number): number {
  const filled = (shape: number[], value: number) => backend.ops.fill({ shape, value });
  const sequence = [1, length, CHANNELS];
  const bytes = countAllocated(() =>
    backend.scope(() => {
      const inputs = {
        ...{ u: filled(sequence, 0.5), delta: filled(sequence, -2), z: filled(sequence, 1) },
        A: filled([CHANNELS, STATES], -1),
        ...{ B: filled([1, length, STATES], 0.5), C: filled([1, length, STATES], 0.5) },
        ...{ D: filled([CHANNELS], 1), deltaBias: filled([CHANNELS], 0.5), softplus: true },
        initialState: filled([1, CHANNELS, STATES], 1),
      };
      const { lastState } = backend.ops.selectiveScan(inputs);
      backend.ops.selectiveScanBackward(inputs, { dy: filled(sequence, 1), dLastState: lastState });
    }),
  );
  return bytes / (length * CHANNELS * 4);
}

/** Bytes of the typed arrays that are made while `run` runs. */
function countAllocated(run: () => void): number {
  const originals = { Float32Array, Float64Array, Int32Array };
  let bytes = 0;
  for (const [name, original] of Object.entries(originals)) {
    const counting = new Proxy(original, {
      construct(target, args) {
        const array = Reflect.construct(target, args) as Float64Array;
        if (!(args[0] instanceof ArrayBuffer)) bytes += array.byteLength;
        return array;
      },
    });
    Object.assign(globalThis, { [name]: counting });
  }
  try {
    run();
  } finally {
    Object.assign(globalThis, originals);
  }
  return bytes;
}
