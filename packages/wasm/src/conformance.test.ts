import type { Backend } from '@mamba-ts/backend';
import { conformance } from '@mamba-ts/conformance';
import { createCpuBackend } from '@mamba-ts/cpu';
import { WasmBackend } from './backend.js';
import { createWasmBackend } from './index.js';
import { startRuntime } from './start.js';

for (const relaxed of [false, true]) {
  for (const threads of [1, 2]) {
    await conformance({
      name: `wasm, ${relaxed ? 'relaxed SIMD' : 'SIMD'}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`,
      createBackend: () => createWasmBackend({ relaxed, threads }),
      createOracle: createCpuBackend,
    });
  }
}

/** All memory that it hands out is full of NaN: what is read before it is written, or while a thread still writes it, is seen. */
async function poisoned(): Promise<Backend> {
  const runtime = await startRuntime({ threads: 2 });
  const { heap } = runtime;
  const allocate = heap.allocate.bind(heap);
  heap.allocate = (bytes) => {
    const address = allocate(bytes);
    new Int32Array(runtime.buffer, address, bytes >> 2).fill(-1);
    return address;
  };
  return new WasmBackend(runtime);
}

await conformance({
  name: 'wasm, memory full of NaN',
  createBackend: poisoned,
  createOracle: createCpuBackend,
});
