import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

// What vitest itself reports of a backend that is wrong, of ops that it lacks, and of one that cannot run: in a run of
// its own, since these tests must fail.
test('through vitest, a wrong op fails, a missing one is skipped by name, a passing one passes', () => {
  const vitest = join(dirname(fileURLToPath(import.meta.resolve('vitest/package.json'))), 'vitest.mjs');
  const { status, stdout } = spawnSync(
    process.execPath,
    [vitest, 'run', '--config', 'test/registration/vitest.config.ts', '--reporter=json'],
    { cwd: fileURLToPath(new URL('..', import.meta.url)), encoding: 'utf8' },
  );
  expect(status).toBe(1);
  const { testResults } = JSON.parse(stdout.slice(stdout.indexOf('{')));
  const tests: { fullName: string; status: string }[] = testResults[0].assertionResults;
  const names = (wanted: string) =>
    tests.filter((one) => one.status === wanted).map(({ fullName }) => fullName);
  expect(names('failed')).toContain('conformance of broken f32, against the oracle add: [2, 17]');
  expect(names('passed')).toContain('conformance of broken f32, against the oracle copy: last axis');
  expect(names('failed').filter((name) => name.includes('copy'))).toEqual([]);
  expect(names('skipped')).toEqual([
    'conformance of broken not on this backend broken has no mul (f32)',
    'conformance of absent: there is no such device here',
  ]);
});
