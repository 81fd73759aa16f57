import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { type PreviewServer, preview } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launch } from '../../../packages/webgpu/test/chromium/launch.js';

/** The npm package has a Chromium for this platform alone. */
const here = process.platform === 'linux' && process.arch === 'x64';
const root = fileURLToPath(new URL('..', import.meta.url));

describe.skipIf(!here)('the built page in headless Chromium', () => {
  let server: PreviewServer;
  let browser: Browser;
  let page: Page;
  const problems: string[] = [];

  beforeAll(async () => {
    expect(existsSync(`${root}dist/index.html`), 'the page is built').toBe(true);
    server = await preview({ root, logLevel: 'error', preview: { port: 0, host: '127.0.0.1', open: false } });
    browser = await launch();
    page = await browser.newPage({ viewport: { width: 1280, height: 1500 } });
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) problems.push(message.text());
    });
    page.setDefaultTimeout(30_000);
    await page.goto(server.resolvedUrls!.local[0]!);
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  const status = () => page.getByRole('status').textContent();
  const slider = (name: string) => page.locator(`input[name="${name}"]`);
  const card = (branch: number) => page.locator(`[data-branch="${branch}"]`);
  const textOf = (branch: number) =>
    card(branch)
      .locator('.text')
      .textContent()
      .then((text) => text!);
  /** Writes on, and waits until it is done. */
  async function write(branch: number, prompt: string, tokens: number): Promise<string> {
    await slider('maxTokens').fill(String(tokens));
    await card(branch).getByLabel('Your text').fill(prompt);
    await card(branch).locator('button.primary').click();
    await card(branch).getByRole('button', { name: 'Go on' }).and(page.locator(':enabled')).waitFor();
    return textOf(branch);
  }
  async function choose(backend: string): Promise<void> {
    await page.getByLabel('backend').selectOption(backend);
    await page.locator('.device', { hasNotText: 'starting' }).waitFor();
  }

  test('it starts on wasm, with threads', async () => {
    await page.locator('.device', { hasText: 'WebAssembly' }).waitFor();
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
    expect(await status()).toMatch(/\d+ thread/);
    expect(await page.locator('.ridge').count()).toBe(8);
  });

  test('text comes, with its speed and the size of the state', async () => {
    const text = await write(1, 'ROMEO:\n', 100);
    expect(text).toMatch(/^ROMEO:\n/);
    expect(text.length).toBe('ROMEO:\n'.length + 100);
    expect(await card(1).locator('footer').textContent()).toMatch(
      /^107 tokens readstate 190 KiB\d+ tokens\/s$/,
    );
  });

  test('two futures of one past, and one of them alone goes on', async () => {
    const past = await textOf(1);
    await card(1).getByRole('button', { name: 'Fork' }).click();
    expect(await textOf(2)).toBe(past);
    const future = await write(2, '', 50);
    expect(future.startsWith(past)).toBe(true);
    expect(future.length).toBe(past.length + 50);
    expect(await textOf(1)).toBe(past);
  });

  test('greedy text goes on on another backend as it would have on the first', async () => {
    await slider('temperature').fill('0');
    await card(1).getByRole('button', { name: 'Fork' }).click();
    const there = await write(1, '', 50);
    await choose('cpu');
    expect(await status()).toMatch(/plain TypeScript/);
    expect(await write(3, '', 50)).toBe(there);
    expect(await card(3).locator('.by-cpu').count()).toBe(1);
  });

  test('WebGPU', async () => {
    await choose('webgpu');
    expect(await status()).toMatch(/^WebGPU on/);
    const before = await textOf(2);
    expect((await write(2, '', 10)).length).toBe(before.length + 10);
  });

  test('one token among many, found by a model that was trained on short sequences', async () => {
    await choose('wasm');
    await slider('power').fill('13');
    await page.getByRole('button', { name: 'Ask' }).click();
    const answer = page.locator('.answers li');
    await answer.waitFor();
    expect(await answer.getAttribute('data-right')).toBe('true');
    expect(await answer.textContent()).toContain('back among 8,192.');
  });

  test('a running text stops', async () => {
    await choose('wasm');
    await slider('maxTokens').fill('2000');
    await card(3).locator('button.primary').click();
    await card(3).getByRole('button', { name: 'Stop' }).click();
    await card(3).getByRole('button', { name: 'Go on' }).waitFor();
    const position = Number((await card(3).locator('.position').textContent())!.replace(/\D/g, ''));
    expect(position).toBeLessThan(2000);
  });

  test('nothing on the console', () => {
    expect(problems).toEqual([]);
  });
});
