import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build, type Rollup } from 'vite';
import { expect, test } from 'vitest';

test('is at most 30 KB, minified and gzipped', async () => {
  const entry = fileURLToPath(new URL('../src/index.ts', import.meta.url));
  const output = (await build({
    configFile: false,
    logLevel: 'silent',
    build: {
      write: false,
      minify: true,
      target: 'esnext',
      // As a bundler ships it: the contract's package is shared with the model.
      rollupOptions: { input: entry, preserveEntrySignatures: 'strict', external: ['@mamba-ts/backend'] },
    },
  })) as Rollup.RollupOutput;
  const sizes = output.output.map((file) => ('code' in file ? gzipSync(file.code, { level: 9 }).length : 0));
  expect(sizes.reduce((a, b) => a + b)).toBeLessThanOrEqual(30 * 1024);
});
