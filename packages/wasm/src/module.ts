import { MambaError } from '@mamba-ts/backend';

/** Where the compiled kernels are: beside the build, whether this file runs from `src` or from `dist`. */
const FILES = {
  simd: () => new URL('../dist/kernels-simd.wasm', import.meta.url),
  relaxed: () => new URL('../dist/kernels-relaxed.wasm', import.meta.url),
};

export type Variant = keyof typeof FILES;

/** What the kernels export. */
export interface Kernels {
  initConstants(): void;
  initProducts(): void;
  kernelOf(id: number): number;
  gemmScratch(): number;
  runSequence(base: number, first: number, count: number): number;
  join(maySleep: number): number;
  serve(thread: number): void;
}

/** (module (func (result v128) i32.const 1 i8x16.splat)) and the same with i32x4.relaxed_trunc_f32x4_s: what an engine must accept. */
const SIMD_PROBE = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 1, 253, 15, 11,
];
const RELAXED_PROBE = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 11, 1, 9, 0, 65, 1, 253, 15, 253, 129,
  2, 11,
];

/**
 * Node's own modules are taken by `process.getBuiltinModule` in this package: bundlers for browsers resolve even an
 * `import('node:fs')` that is never reached, and most refuse it.
 */
export function inNode(): boolean {
  return typeof process === 'object' && typeof process.versions?.node === 'string';
}

/** Compiles the kernels. `relaxed`: fused multiply-add; `undefined` where the engine has it. */
export async function loadModule(
  relaxed: boolean | undefined,
  shared: boolean,
): Promise<{ module: WebAssembly.Module; variant: Variant }> {
  if (!WebAssembly.validate(new Uint8Array(SIMD_PROBE))) {
    throw new MambaError(
      'UNSUPPORTED_DEVICE',
      'wasm: this engine has no WebAssembly SIMD (Node 16.4, Chrome 91, Firefox 89, Safari 16.4 and later have it): use the cpu backend',
    );
  }
  const has = relaxed !== false && withRelaxedSimd(() => WebAssembly.validate(new Uint8Array(RELAXED_PROBE)));
  if (relaxed && !has) {
    throw new MambaError(
      'UNSUPPORTED_DEVICE',
      'wasm: relaxed: true, but this engine has no relaxed SIMD: leave the option out',
    );
  }
  const variant = has ? 'relaxed' : 'simd';
  const bytes = await read(FILES[variant]());
  const compile = () => new WebAssembly.Module(shared ? bytes : withUnsharedMemory(bytes));
  return { module: has ? withRelaxedSimd(compile) : compile(), variant };
}

/**
 * Calls `use` with relaxed SIMD where the engine can. Node 20 has it, finished, behind a flag, which is on only while our
 * module is compiled: V8 reads it then and keeps what it read with the module. Node 22 has no such flag and needs none.
 */
function withRelaxedSimd<T>(use: () => T): T {
  if (!inNode() || !process.versions.node.startsWith('20.')) return use();
  if (WebAssembly.validate(new Uint8Array(RELAXED_PROBE))) return use();
  const { setFlagsFromString } = process.getBuiltinModule('node:v8');
  setFlagsFromString('--experimental-wasm-relaxed-simd');
  try {
    return use();
  } finally {
    setFlagsFromString('--no-experimental-wasm-relaxed-simd');
  }
}

async function read(url: URL): Promise<Uint8Array<ArrayBuffer>> {
  try {
    if (url.protocol === 'file:' && inNode()) {
      const { readFile } = process.getBuiltinModule('node:fs/promises');
      return new Uint8Array(await readFile(url));
    }
    const response = await fetch(url);
    if (!response.ok) throw new Error(`status ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    throw new MambaError(
      'IO',
      `wasm: ${url.href} cannot be read (${cause}): serve the .wasm files of @mamba-ts/wasm beside its scripts; in a clone, run the build`,
      { cause, details: { path: url.href } },
    );
  }
}

/**
 * The same module with an import of unshared memory: one bit in the limits of its only import. Atomic instructions are
 * valid there too, and the one that is not (to wait) is never reached with one thread.
 */
export function withUnsharedMemory(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const patched = bytes.slice();
  let at = 8;
  while (patched[at] !== 2) {
    const { value, next } = readLeb(patched, at + 1);
    at = next + value;
  }
  // Section size, number of imports, "env", "memory", kind, then the limits' flags: has a maximum 1, is shared 2.
  at = readLeb(patched, at + 1).next + 1 + 4 + 7 + 1;
  patched[at] &= ~2;
  return patched;
}

function readLeb(bytes: Uint8Array, at: number): { value: number; next: number } {
  let value = 0;
  let shift = 0;
  for (;;) {
    const byte = bytes[at++];
    value |= (byte & 127) << shift;
    shift += 7;
    if (byte < 128) return { value, next: at };
  }
}
