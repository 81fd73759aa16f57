import { afterEach, describe, expect, test, vi } from 'vitest';
import { validating } from '../test/backends.js';
import { expectRejection } from '../test/expect-code.js';
import { nullGpu } from '../test/swiftshader.js';
import { createWebgpuBackend } from './create.js';

afterEach(() => vi.unstubAllGlobals());

describe('a machine without WebGPU', () => {
  test('a browser that has none', async () => {
    vi.stubGlobal('navigator', {});
    vi.stubGlobal('process', undefined);
    const error = await expectRejection('UNSUPPORTED_DEVICE', createWebgpuBackend());
    expect(error.message).toMatch(/browser has no WebGPU/);
  });

  test('no GPU behind it', async () => {
    const gpu = { requestAdapter: async () => null } as unknown as GPU;
    const error = await expectRejection('UNSUPPORTED_DEVICE', createWebgpuBackend({ gpu }));
    expect(error.message).toMatch(/requestAdapter gave null/);
  });

  test('a driver that refuses the device', async () => {
    const adapter = await (await nullGpu()).requestAdapter();
    const refusing = {
      limits: adapter!.limits,
      features: new Set(),
      requestDevice: async () => {
        throw new Error('busy');
      },
    };
    const error = await expectRejection(
      'UNSUPPORTED_DEVICE',
      createWebgpuBackend({ adapter: refusing as unknown as GPUAdapter }),
    );
    expect(error.message).toMatch(/refused a device: Error: busy/);
    expect(error.cause).toBeInstanceOf(Error);
  });
});

describe('limits', () => {
  test.each([
    ['maxStorageBuffersPerShaderStage', 4, 8],
    ['maxComputeInvocationsPerWorkgroup', 128, 256],
    ['maxStorageBufferBindingSize', 2 ** 20, 2 ** 27],
  ])('%s of %i is too low, and the message says so', async (limit, has, need) => {
    const adapter = (await (await nullGpu()).requestAdapter())!;
    const limits: Record<string, number> = {};
    for (const name in adapter.limits)
      limits[name] = adapter.limits[name as keyof GPUSupportedLimits] as number;
    const poor = { limits: { ...limits, [limit]: has }, features: new Set() } as unknown as GPUAdapter;
    const error = await expectRejection('UNSUPPORTED_DEVICE', createWebgpuBackend({ adapter: poor }));
    expect(error.details).toEqual({ limit, has, need });
    for (const part of [limit, String(has), String(need)]) expect(error.message).toContain(part);
  });
});

describe('where it computes', () => {
  test('an adapter of the caller, a device of the caller, a GPU of the caller', async () => {
    const gpu = await nullGpu();
    const adapter = (await gpu.requestAdapter())!;
    const byAdapter = await validating({ adapter });
    expect(byAdapter.name).toBe('webgpu');
    expect(byAdapter.description).toMatch(/^WebGPU on .+/);
    const device = await (await gpu.requestAdapter())!.requestDevice();
    expect((await validating({ device })).device).toBe(device);
  });

  test('navigator.gpu comes first', async () => {
    const gpu = await nullGpu();
    vi.stubGlobal('navigator', { gpu });
    const backend = await createWebgpuBackend();
    expect(backend.description).toMatch(/^WebGPU on/);
    await backend.dispose();
  });

  test('power preference and limits of the adapter are asked for', async () => {
    const gpu = await nullGpu();
    const asked: unknown[] = [];
    const watching = {
      wgslLanguageFeatures: gpu.wgslLanguageFeatures,
      requestAdapter: (options: unknown) => {
        asked.push(options);
        return gpu.requestAdapter();
      },
    } as unknown as GPU;
    await validating({ gpu: watching, powerPreference: 'low-power' });
    await validating({ gpu: watching });
    expect(asked).toEqual([{ powerPreference: 'low-power' }, { powerPreference: 'high-performance' }]);
  });
});

test('supports: f32 activations, weights of four types', async () => {
  const backend = await validating();
  expect(backend.supports('selectiveScan')).toBe(true);
  expect(backend.supports('selectiveScan', { complex: true })).toBe(true);
  expect(backend.supports('linear', { dtype: 'f64' })).toBe(false);
  for (const weight of ['f32', 'f16', 'bf16', 'int8'] as const)
    expect(backend.supports('linear', { weight })).toBe(true);
  expect(backend.supports('linear', { weight: 'f64' })).toBe(false);
  expect(backend.supports('attention' as 'linear')).toBe(false);
});
