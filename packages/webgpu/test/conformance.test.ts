import { conformance } from '@mamba-ts/conformance';
import { createCpuBackend } from '@mamba-ts/cpu';
import { createWebgpuBackend } from '../src/index.js';
import { testGpu } from './swiftshader.js';

const found = await testGpu();

conformance({
  name: 'webgpu',
  skip: 'reason' in found && found.reason,
  createBackend: () => createWebgpuBackend('gpu' in found ? { gpu: found.gpu } : {}),
  createOracle: createCpuBackend,
  // WGSL lets a device assume that there are no NaN and no infinities.
  nonFinite: false,
});
