import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launch, serve } from './chromium/launch.js';

/** The npm package has a Chromium for this platform alone. */
const here = process.platform === 'linux' && process.arch === 'x64';

describe.skipIf(!here)('in headless Chromium', () => {
  let browser: Browser;
  let page: Page;
  let close: () => Promise<void>;

  beforeAll(async () => {
    const server = await serve();
    close = () => server.close();
    browser = await launch();
    page = await browser.newPage();
    page.setDefaultTimeout(0);
    await page.goto(`${server.resolvedUrls!.local[0]}test/chromium/index.html`);
    await page.waitForFunction('window.conform !== undefined');
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    await close?.();
  });

  test('the backend comes up with navigator.gpu and nothing else', async () => {
    expect(await page.evaluate(() => window.describeDevice())).toMatch(/^WebGPU on/);
  });

  test('the conformance suite', { timeout: 600_000 }, async () => {
    const report = await page.evaluate(() => window.conform());
    expect(report.failed).toEqual([]);
    expect(report.passed.length).toBeGreaterThan(800);
  });
});
