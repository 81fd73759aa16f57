import { onTestFinished } from 'vitest';
import { createWebgpuBackend, type WebgpuBackend, type WebgpuBackendOptions } from '../src/index.js';
import { nullGpu, testGpu } from './swiftshader.js';

const found = await testGpu();

/** For `describe.skipIf` and names of skipped tests: why nothing can be computed here. */
export const noGpu = 'reason' in found ? found.reason : undefined;

/** A backend that computes, disposed after the test. */
export async function webgpu(options: WebgpuBackendOptions = {}): Promise<WebgpuBackend> {
  if ('reason' in found) throw new Error(found.reason);
  const backend = await createWebgpuBackend({ gpu: found.gpu, ...options });
  onTestFinished(() => backend.dispose());
  return backend;
}

/** A backend that only validates, everywhere. */
export async function validating(options: WebgpuBackendOptions = {}): Promise<WebgpuBackend> {
  const backend = await createWebgpuBackend({ gpu: await nullGpu(), ...options });
  onTestFinished(() => backend.dispose());
  return backend;
}

/** Numbers in [-1, 1) from a seed. */
export function numbers(count: number, seed = 1, scale = 1): Float32Array {
  const out = new Float32Array(count);
  let state = seed * 2654435761;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    out[i] = scale * (state / 2 ** 31 - 1);
  }
  return out;
}

/** max |a - b| / max |b| */
export const far = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  let [error, largest] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    error = Math.max(error, Math.abs(a[i]! - b[i]!));
    largest = Math.max(largest, Math.abs(b[i]!));
  }
  return error / largest;
};
