import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import type { Report } from './report.js';

const folder = mkdtempSync(join(tmpdir(), 'mamba-ts-bench-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
const bench = (...argv: string[]) =>
  spawnSync(
    process.execPath,
    ['--import', tsx, fileURLToPath(new URL('main.ts', import.meta.url)), ...argv],
    {
      encoding: 'utf8',
      env: { ...process.env, INIT_CWD: folder },
    },
  );

test('measures a backend and writes both reports', () => {
  const argv = [
    '--out',
    'here',
    '--backend',
    'wasm',
    '--shape',
    'embedded',
    '--cases',
    'decode',
    '--runs',
    '1',
  ];
  const { status, stdout } = bench(...argv);
  expect(status).toBe(0);
  const report: Report = JSON.parse(readFileSync(join(folder, 'here', 'report.json'), 'utf8'));
  expect(report.rows.map(({ backend }) => backend)).toEqual(['wasm']);
  expect(report.rows[0]!.value).toBeGreaterThan(0);
  const page = readFileSync(join(folder, 'here', 'report.md'), 'utf8');
  expect(page).toContain('| decode');
  expect(stdout).toContain(page);
});

test('a backend that does not exist is an error, not an empty report', () => {
  const { status, stderr } = bench('--backend', 'abacus');
  expect(status).toBe(2);
  expect(stderr).toContain('--backend must be one of');
  expect(stderr).not.toContain('    at ');
});
