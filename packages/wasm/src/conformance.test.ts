import { conformance } from '@mamba-ts/conformance';
import { createCpuBackend } from '@mamba-ts/cpu';
import { createWasmBackend } from './index.js';

for (const relaxed of [false, true]) {
  for (const threads of [1, 2]) {
    await conformance({
      name: `wasm, ${relaxed ? 'relaxed SIMD' : 'SIMD'}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`,
      createBackend: () => createWasmBackend({ relaxed, threads }),
      createOracle: createCpuBackend,
    });
  }
}
