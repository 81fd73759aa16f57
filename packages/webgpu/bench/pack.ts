/*
 * Everything that bench/gpu.ts needs on a Linux machine that has a GPU driver and nothing else: this Node, Dawn, a Vulkan loader and
 * the benchmark in one file -> bench/out/webgpu-bench.tar.xz. `pnpm exec tsx bench/pack.ts`, and there:
 *
 *   tar xf webgpu-bench.tar.xz && LD_LIBRARY_PATH=webgpu-bench webgpu-bench/node webgpu-bench/gpu.mjs
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { unpacked } from '../test/swiftshader.js';

const out = fileURLToPath(new URL('./out/', import.meta.url));
const folder = join(out, 'webgpu-bench');
rmSync(out, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });

await build({
  root: fileURLToPath(new URL('../', import.meta.url)),
  configFile: false,
  logLevel: 'warn',
  resolve: { conditions: ['@mamba-ts/source'] },
  ssr: { noExternal: true, external: ['webgpu'], resolve: { conditions: ['@mamba-ts/source'] } },
  build: {
    ssr: fileURLToPath(new URL('./gpu.ts', import.meta.url)),
    outDir: folder,
    emptyOutDir: false,
    minify: true,
    rollupOptions: { output: { entryFileNames: 'gpu.mjs' } },
  },
});

const dawn = dirname(createRequire(import.meta.url).resolve('webgpu'));
const target = join(folder, 'node_modules', 'webgpu');
mkdirSync(join(target, 'dist', 'linux-x64'), { recursive: true });
for (const file of ['index.js', 'package.json', 'dist/linux-x64/dawn.node'])
  copyFileSync(join(dawn, file), join(target, file));
copyFileSync(process.execPath, join(folder, 'node'));
copyFileSync(join(unpacked('swiftshader'), 'libvulkan.so.1'), join(folder, 'libvulkan.so.1'));
writeFileSync(join(folder, 'node_modules', 'package.json'), '{}');
execFileSync('strip', [join(folder, 'node')], { stdio: 'ignore' });
const env = { ...process.env, XZ_OPT: '-2' };
execFileSync('tar', ['cJf', 'webgpu-bench.tar.xz', 'webgpu-bench'], { cwd: out, stdio: 'inherit', env });
console.log(join(out, 'webgpu-bench.tar.xz'));
