import { MambaError } from '@mamba-ts/backend';
import { MAX_BYTES } from './heap.js';
import { inNode, loadModule } from './module.js';
import { makeMemory, Runtime } from './runtime.js';

export interface WasmBackendOptions {
  /** Threads that compute, the caller's included. Default: the cores. More than one needs shared memory. */
  readonly threads?: number | undefined;
  /** Fused multiply-add (relaxed SIMD). Default: where the engine has it. `false` gives the same bits on every machine. */
  readonly relaxed?: boolean | undefined;
  /** Bytes that the backend may hold. Default: 4 GiB, all that 32-bit addresses reach. */
  readonly memoryLimit?: number | undefined;
  /** Milliseconds without progress after which a worker counts as lost. Default 10000. */
  readonly patience?: number | undefined;
}

/** Loads the kernels, reserves the memory and starts the threads. */
export async function startRuntime(options: WasmBackendOptions): Promise<Runtime> {
  const { relaxed, memoryLimit = MAX_BYTES, patience = 10_000 } = options;
  checkOptions(options);
  const wanted = options.threads ?? countCores();
  const canShare =
    typeof SharedArrayBuffer === 'function' && (inNode() || globalThis.crossOriginIsolated === true);
  if (wanted > 1 && !canShare) {
    warnOnce(
      'mamba-ts: the wasm backend runs on one thread, because this page is not cross-origin isolated: serve it with Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp',
    );
  }
  const start = async (threads: number) => {
    const shared = threads > 1;
    const { module, variant } = await loadModule(relaxed, shared);
    const memory = makeMemory(memoryLimit, shared);
    const runtime = new Runtime({ memory, module, variant, memoryLimit, threads, patience });
    await runtime.start(module);
    return runtime;
  };
  if (wanted === 1 || !canShare) return start(1);
  try {
    return await start(wanted);
  } catch (error) {
    if (error instanceof MambaError) throw error;
    warnOnce(`mamba-ts: the wasm backend runs on one thread, because workers do not start here: ${error}`);
    return start(1);
  }
}

function checkOptions({ threads, memoryLimit, patience }: WasmBackendOptions): void {
  const check = (
    name: string,
    value: number | undefined,
    good: (value: number) => boolean,
    expected: string,
  ) => {
    if (value !== undefined && !(typeof value === 'number' && good(value))) {
      throw new MambaError(
        'INVALID_ARGUMENT',
        `createWasmBackend: ${name} must be ${expected}, got ${value}`,
      );
    }
  };
  check('threads', threads, (n) => Number.isInteger(n) && n >= 1 && n <= 256, 'a whole number from 1 to 256');
  check('memoryLimit', memoryLimit, (n) => n >= 1 << 20, 'at least 1 MiB, in bytes');
  check('patience', patience, (n) => n > 0, 'above 0, in milliseconds');
}

function countCores(): number {
  if (!inNode()) return globalThis.navigator?.hardwareConcurrency ?? 1;
  return process.getBuiltinModule('node:os').availableParallelism();
}

const warned = new Set<string>();

function warnOnce(message: string): void {
  if (warned.has(message)) return;
  warned.add(message);
  console.warn(message);
}
