import {
  copyFileSync,
  createReadStream,
  createWriteStream,
  existsSync,
  readdirSync,
  renameSync,
} from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { createBrotliDecompress } from 'node:zlib';
import { type Browser, chromium } from 'playwright-core';
import { createServer, type ViteDevServer } from 'vite';
import { chromiumArchives, unpacked } from '../swiftshader.js';

/** Chromium of the npm package @sparticuz/chromium, with its SwiftShader beside it. */
async function executable(): Promise<string> {
  const folder = unpacked('swiftshader');
  const path = join(folder, 'chromium');
  if (!existsSync(path)) {
    const temporary = `${path}.${process.pid}`;
    await pipeline(
      createReadStream(join(chromiumArchives(), 'chromium.br')),
      createBrotliDecompress(),
      createWriteStream(temporary, { mode: 0o755 }),
    );
    renameSync(temporary, path);
  }
  // Libraries that a bare machine lacks.
  const libraries = join(unpacked('al2023'), 'lib');
  for (const file of readdirSync(libraries)) {
    if (!existsSync(join(folder, file))) copyFileSync(join(libraries, file), join(folder, file));
  }
  return path;
}

/** Headless, with WebGPU over SwiftShader. */
export async function launch(): Promise<Browser> {
  const executablePath = await executable();
  return chromium.launch({
    executablePath,
    headless: true,
    env: { ...process.env, LD_LIBRARY_PATH: unpacked('swiftshader') },
    args: [
      '--headless',
      '--no-sandbox',
      '--enable-unsafe-webgpu',
      '--use-webgpu-adapter=swiftshader',
      '--enable-features=Vulkan',
    ],
  });
}

/** Serves this repository's sources to a page. */
export async function serve(): Promise<ViteDevServer> {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const server = await createServer({
    root,
    configFile: false,
    logLevel: 'error',
    cacheDir: join(root, 'node_modules', '.cache', 'vite-chromium'),
    resolve: { conditions: ['@mamba-ts/source', 'module', 'browser', 'development'] },
    server: { port: 0, host: '127.0.0.1', hmr: false, watch: null, fs: { allow: [join(root, '..', '..')] } },
  });
  return server.listen();
}
