import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliDecompressSync } from 'node:zlib';

/*
 * WebGPU on a machine without a GPU: Dawn for Node over SwiftShader, a Vulkan driver in software that comes in the npm
 * package @sparticuz/chromium. MAMBA_TS_WEBGPU=default takes the machine's own GPU instead.
 */

const require = createRequire(import.meta.url);

/** Where the package keeps its archives. */
export function chromiumArchives(): string {
  // Its `exports` hide package.json: from build/esm/index.js up.
  return join(dirname(require.resolve('@sparticuz/chromium')), '..', '..', 'bin');
}

/** Unpacks an archive of the package into node_modules/.cache, once, and gives the folder. */
export function unpacked(archive: 'swiftshader' | 'al2023'): string {
  const cache = fileURLToPath(new URL('../node_modules/.cache/', import.meta.url));
  const folder = join(cache, archive);
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  const tar = brotliDecompressSync(readFileSync(join(chromiumArchives(), `${archive}.tar.br`)));
  // Complete, or not there: tests of several processes may do this at once.
  const temporary = mkdtempSync(join(cache, `${archive}-`));
  for (const { name, data } of tarEntries(tar)) {
    const path = join(temporary, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, data, { mode: 0o755 });
  }
  try {
    renameSync(temporary, folder);
  } catch (error) {
    rmSync(temporary, { recursive: true });
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

function* tarEntries(tar: Buffer): Generator<{ name: string; data: Buffer }> {
  const text = (start: number, length: number) =>
    tar.toString('latin1', start, start + length).replace(/\0.*$/s, '');
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const size = Number.parseInt(text(at + 124, 12), 8);
    const isFile = ['0', ''].includes(text(at + 156, 1));
    if (isFile) yield { name: text(at, 100), data: tar.subarray(at + 512, at + 512 + size) };
    at += 512 + 512 * Math.ceil(size / 512);
  }
}

/** Dawn keeps running as long as this is referenced. */
let found: Promise<{ gpu: GPU } | { reason: string }> | undefined;

/** A GPU object for the tests, or the reason why there is none. */
export function testGpu(): Promise<{ gpu: GPU } | { reason: string }> {
  found ??= find();
  return found;
}

async function find(): Promise<{ gpu: GPU } | { reason: string }> {
  const { create } = await import('webgpu');
  const own = process.env['MAMBA_TS_WEBGPU'] === 'default';
  const hasSwiftShader = process.platform === 'linux' && process.arch === 'x64';
  if (!own && hasSwiftShader) useSwiftShader();
  const gpu = create(own || !hasSwiftShader ? [] : ['backend=vulkan']);
  const adapter = await gpu.requestAdapter();
  if (adapter) return { gpu };
  return {
    reason: hasSwiftShader ? 'SwiftShader does not start here' : 'this machine has no GPU for WebGPU',
  };
}

/** Makes SwiftShader the Vulkan driver of this process. Before the first adapter is asked for. */
function useSwiftShader(): void {
  const folder = unpacked('swiftshader');
  process.env['VK_DRIVER_FILES'] = join(folder, 'vk_swiftshader_icd.json');
  // Dawn looks for "libvulkan.so.1", and the dynamic linker finds a library of this name that is loaded already. Node loads
  // it, sees that it is no addon, and would unload it: RTLD_NODELETE (0x1000) keeps it.
  try {
    process.dlopen({ exports: {} }, join(folder, 'libvulkan.so.1'), constants.dlopen.RTLD_NOW | 0x1000);
  } catch (error) {
    if (!String(error).includes('did not self-register')) throw error;
  }
}

let validator: GPU | undefined;

/** Dawn's null device: takes every command, computes nothing. Validates all shaders. */
export async function nullGpu(): Promise<GPU> {
  const { create } = await import('webgpu');
  validator ??= create(['backend=null']);
  return validator;
}
