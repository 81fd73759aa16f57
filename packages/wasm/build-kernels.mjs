/* Compiles assembly/ to dist/kernels-simd.wasm and dist/kernels-relaxed.wasm: one source, without and with relaxed SIMD. */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const here = fileURLToPath(new URL('.', import.meta.url));
const flags = [
  'assembly/index.ts',
  '--baseDir',
  here,
  '-O3',
  '--noAssert',
  '--runtime',
  'stub',
  '--importMemory',
  '--noExportMemory',
  '--sharedMemory',
  '--initialMemory',
  '1',
  '--maximumMemory',
  '65536',
  // Above what src/layout.ts places.
  '--memoryBase',
  '16384',
  // memory.fill and memory.copy are checked against a length of the memory, and a worker of V8's may not yet have heard that another
  // thread has grown it: they trapped, rarely. Loads and stores are checked by the pages themselves.
  '--disable',
  'bulk-memory',
  '--enable',
  'simd',
  '--enable',
  'threads',
  // v128 arguments between our own functions are no exchange with JavaScript.
  '--disableWarning',
  '112',
];

mkdirSync(new URL('dist', import.meta.url), { recursive: true });
for (const [variant, extra] of Object.entries({ simd: [], relaxed: ['--enable', 'relaxed-simd'] })) {
  const { error, stderr } = await asc.main([...flags, ...extra, '-o', `dist/kernels-${variant}.wasm`]);
  const output = stderr.toString();
  if (output) process.stderr.write(output);
  if (error) {
    console.error(`kernels-${variant}: ${error.message}`);
    process.exit(1);
  }
}
