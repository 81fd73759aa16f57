import { audit, type Report } from '@mamba-ts/conformance/without-vitest';
import { createCpuBackend } from '@mamba-ts/cpu';
import { createWebgpuBackend } from '../../src/index.js';

declare global {
  interface Window {
    describeDevice(): Promise<string>;
    conform(): Promise<Report>;
  }
}

window.describeDevice = async () => {
  const backend = await createWebgpuBackend();
  await backend.dispose();
  return backend.description;
};

window.conform = () =>
  audit({
    name: 'webgpu',
    createBackend: () => createWebgpuBackend(),
    createOracle: createCpuBackend,
    nonFinite: false,
    runs: 3,
  });
