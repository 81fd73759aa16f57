import { MambaError } from '@mamba-ts/backend';
import { WebgpuBackend } from './backend.js';
import { type DispatchInfo, Engine } from './engine.js';
import { mayHaveVulkan } from './vulkan-loader.js';

export interface WebgpuBackendOptions {
  /** A device of the caller's. It is not destroyed by `dispose`. */
  device?: GPUDevice | undefined;
  /** An adapter of the caller's. */
  adapter?: GPUAdapter | undefined;
  /**
   * Where to look for adapters: `navigator.gpu` unless said; in Node what `create([])` of the npm package `webgpu` gives.
   */
  gpu?: GPU | undefined;
  /** Which of several GPUs: `high-performance` unless said. */
  powerPreference?: GPUPowerPreference | undefined;
  /** Bytes that one buffer may have, where that is to be less than the device allows. */
  maxBufferBytes?: number | undefined;
  /** Tokens a chunk of the scans, where that is not to follow from the shape. */
  scanChunk?: number | undefined;
  /** Shows every kernel that is enqueued. */
  onDispatch?: ((info: DispatchInfo) => void) | undefined;
}

/** What the kernels need: what every WebGPU device has, compatibility mode apart. */
const NEEDS = {
  maxStorageBuffersPerShaderStage: 8,
  maxUniformBuffersPerShaderStage: 12,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxComputeWorkgroupStorageSize: 16384,
  maxComputeWorkgroupsPerDimension: 65535,
  maxStorageBufferBindingSize: 2 ** 27,
  maxBufferSize: 2 ** 28,
} as const;

/** Dawn for Node ends when the object that gave the adapter is collected: it lives as long as the device. */
const instances = new WeakMap<GPUDevice, GPU>();

/**
 * The WebGPU backend: in the browser with nothing more, in Node through the npm package `webgpu` (Dawn), an optional peer
 * dependency. Throws `UNSUPPORTED_DEVICE`, saying what is missing.
 */
export async function createWebgpuBackend(options: WebgpuBackendOptions = {}): Promise<WebgpuBackend> {
  const { device: given, maxBufferBytes = Number.POSITIVE_INFINITY, scanChunk, onDispatch } = options;
  const gpu = given || options.adapter ? options.gpu : (options.gpu ?? (await findGpu()));
  const adapter = given ? undefined : (options.adapter ?? (await findAdapter(gpu!, options)));
  if (adapter) checkLimits(adapter.limits);
  const device = given ?? (await requestDevice(adapter!));
  checkLimits(device.limits);
  const { maxStorageBufferBindingSize, maxBufferSize } = device.limits;
  const most = Math.min(maxStorageBufferBindingSize, maxBufferSize, maxBufferBytes);
  if (gpu) instances.set(device, gpu);
  // The feature is older than the number of a subgroup in its workgroup, which the kernels need too.
  const language = (gpu ?? (globalThis.navigator as Partial<Navigator> | undefined)?.gpu)
    ?.wgslLanguageFeatures;
  const subgroups = device.features.has('subgroups') && (language?.has('subgroup_id') ?? false);
  const engine = new Engine(device, { maxBytes: Math.floor(most / 256) * 256, subgroups, onDispatch });
  return new WebgpuBackend(engine, describe(device, adapter), given === undefined, scanChunk);
}

async function findGpu(): Promise<GPU> {
  // `navigator.gpu` is there in secure contexts only; TypeScript's types say always.
  const found = (globalThis.navigator as Partial<Navigator> | undefined)?.gpu;
  if (found) return found;
  if (!(globalThis as { process?: { versions?: { node?: string } } }).process?.versions?.node) {
    throw unsupported(
      'This browser has no WebGPU (navigator.gpu is missing). Use a recent browser over https or localhost, or the wasm backend',
    );
  }
  // Not a literal, so that bundlers for the browser do not look for it.
  const name = 'webgpu';
  let module: { create(options: string[]): GPU };
  try {
    module = await import(/* @vite-ignore */ /* webpackIgnore: true */ name);
  } catch (cause) {
    throw unsupported(
      'Node has no WebGPU of its own: install the npm package "webgpu" (Dawn) beside @mamba-ts/webgpu, or use the wasm backend',
      cause,
    );
  }
  const { existsSync, readFileSync } = process.getBuiltinModule('node:fs');
  if (
    !mayHaveVulkan(process.platform, process.env['LD_LIBRARY_PATH'], {
      exists: existsSync,
      read: (path) => readFileSync(path),
    })
  ) {
    throw unsupported(
      'No Vulkan on this machine (libvulkan.so.1 is missing): install a GPU driver that has it, or use the wasm backend',
    );
  }
  return module.create([]);
}

async function findAdapter(
  gpu: GPU,
  { powerPreference = 'high-performance' }: WebgpuBackendOptions,
): Promise<GPUAdapter> {
  const adapter = await gpu.requestAdapter({ powerPreference });
  if (adapter) return adapter;
  throw unsupported(
    'WebGPU is here, but no GPU that it can use (requestAdapter gave null): the driver is missing or blocked. Use the wasm backend',
  );
}

async function requestDevice(adapter: GPUAdapter): Promise<GPUDevice> {
  const { maxStorageBufferBindingSize, maxBufferSize } = adapter.limits;
  try {
    return await adapter.requestDevice({
      label: 'mamba-ts',
      requiredFeatures: adapter.features.has('subgroups') ? ['subgroups'] : [],
      requiredLimits: { maxStorageBufferBindingSize, maxBufferSize },
    });
  } catch (cause) {
    throw unsupported(`The GPU refused a device: ${String(cause)}`, cause);
  }
}

function checkLimits(limits: GPUSupportedLimits): void {
  for (const [name, need] of Object.entries(NEEDS)) {
    const has = limits[name as keyof typeof NEEDS];
    if (has >= need) continue;
    throw new MambaError(
      'UNSUPPORTED_DEVICE',
      `This GPU's ${name} is ${has}, but ${need} is needed. Use the wasm backend, or request the device with more`,
      { details: { limit: name, has, need } },
    );
  }
}

function describe(device: GPUDevice, adapter: GPUAdapter | undefined): string {
  const { vendor, architecture, description } = (adapter?.info ??
    device.adapterInfo ??
    {}) as Partial<GPUAdapterInfo>;
  const name = description || [vendor, architecture].filter(Boolean).join(' ') || 'a GPU';
  const features = device.features.has('subgroups') ? ', subgroups' : '';
  return `WebGPU on ${name}${features}`;
}

function unsupported(message: string, cause?: unknown): MambaError {
  return new MambaError('UNSUPPORTED_DEVICE', message, { cause });
}
