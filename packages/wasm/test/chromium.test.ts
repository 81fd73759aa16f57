import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { createServer, type ViteDevServer } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launch } from '../../webgpu/test/chromium/launch.js';

/** The npm package has a Chromium for this platform alone. */
const here = process.platform === 'linux' && process.arch === 'x64';

const ISOLATED = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

/** Serves this repository's sources to a page. */
async function serve(headers: Record<string, string>): Promise<ViteDevServer> {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const server = await createServer({
    root,
    configFile: false,
    logLevel: 'error',
    cacheDir: `${root}node_modules/.cache/vite-chromium-${Object.keys(headers).length}`,
    resolve: { conditions: ['@mamba-ts/source', 'module', 'browser', 'development'] },
    server: {
      ...{ port: 0, host: '127.0.0.1', hmr: false, watch: null, headers },
      fs: { allow: [fileURLToPath(new URL('../../..', import.meta.url))] },
    },
  });
  return server.listen();
}

describe.skipIf(!here)('in headless Chromium', () => {
  let browser: Browser;
  const servers: ViteDevServer[] = [];

  async function open(headers: Record<string, string>): Promise<Page> {
    const server = await serve(headers);
    servers.push(server);
    const page = await browser.newPage();
    page.setDefaultTimeout(0);
    await page.goto(`${server.resolvedUrls!.local[0]}test/chromium/index.html`);
    await page.waitForFunction('window.conform !== undefined');
    return page;
  }

  beforeAll(async () => {
    browser = await launch();
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    for (const server of servers) await server.close();
  });

  describe('a page that is cross-origin isolated', () => {
    let page: Page;
    beforeAll(async () => {
      page = await open(ISOLATED);
    }, 60_000);

    test('has threads, and relaxed SIMD', async () => {
      expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
      expect(await page.evaluate(() => window.describeBackend({ threads: 3 }))).toEqual({
        description: 'WebAssembly, relaxed SIMD with FMA, 3 threads',
        warnings: [],
      });
    });

    test('takes as many threads as there are cores unless told', async () => {
      const cores = await page.evaluate(() => navigator.hardwareConcurrency);
      const { description } = await page.evaluate(() => window.describeBackend({}));
      expect(description).toMatch(new RegExp(` ${cores} thread`));
    });

    test.each([
      { threads: 2, relaxed: true },
      { threads: 1, relaxed: false },
    ])('conforms with %o', { timeout: 300_000 }, async (options) => {
      const report = await page.evaluate((options) => window.conform(options), options);
      expect(report.failed).toEqual([]);
      expect(report.passed.length).toBeGreaterThan(800);
    });

    test('computes in a Worker, with threads of its own, while the page goes on', async () => {
      const { description, turns, longest, milliseconds } = await page.evaluate(() => window.workInWorker());
      expect(description).toMatch(/2 threads$/);
      expect(turns).toBeGreaterThan(10);
      expect(longest).toBeLessThan(milliseconds / 2);
    });
  });

  describe('a page that is not', () => {
    let page: Page;
    beforeAll(async () => {
      page = await open({});
    }, 60_000);

    test('has one thread, and is told once how to have more', async () => {
      expect(await page.evaluate(() => crossOriginIsolated)).toBe(false);
      const { description, warnings } = await page.evaluate(() => window.describeBackend({ threads: 2 }));
      expect(description).toMatch(/1 thread$/);
      expect(warnings).toEqual([expect.stringMatching(/Cross-Origin-Embedder-Policy/)]);
    });

    test('conforms', { timeout: 300_000 }, async () => {
      const report = await page.evaluate(() => window.conform({ threads: 2 }));
      expect(report.failed).toEqual([]);
      expect(report.passed.length).toBeGreaterThan(800);
    });
  });
});
