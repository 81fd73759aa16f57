/*
 * Builds everything, runs every package's tests, and closes with one line: `N passed, N failed, N skipped`.
 * Arguments go to turbo: `pnpm test --filter=@mamba-ts/ssm`.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { root, workspacePackages } from './workspace.js';

/** The counts of vitest's JSON reporter that are used here. */
interface Results {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  testResults: { name: string; status: string; assertionResults: { status: string; fullName: string }[] }[];
}

const folders = workspacePackages().map(({ folder }) => folder);
const resultsOf = (folder: string) => join(folder, '.test-results.json');
for (const folder of folders) rmSync(resultsOf(folder), { force: true });

// One package at a time: vitest itself uses the cores.
const run = spawnSync('turbo', ['run', 'test', '--continue', '--concurrency=1', ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1' },
});

let passed = 0;
let failed = 0;
const skipped: string[] = [];
for (const folder of folders.filter((folder) => existsSync(resultsOf(folder)))) {
  const results: Results = JSON.parse(readFileSync(resultsOf(folder), 'utf8'));
  passed += results.numPassedTests;
  failed += results.numFailedTests;
  for (const file of results.testResults) {
    // A file that could not even be loaded has no tests to count.
    if (file.status === 'failed' && !file.assertionResults.some(({ status }) => status === 'failed'))
      failed++;
    for (const test of file.assertionResults) {
      if (test.status !== 'passed' && test.status !== 'failed') skipped.push(test.fullName);
    }
  }
}
// A package that failed before its tests ran (a broken build) is a failure too.
if (run.status !== 0 && failed === 0) failed = 1;

if (skipped.length > 0)
  console.log(`\nSkipped on this machine:\n${skipped.map((name) => `  ${name}`).join('\n')}`);
console.log(`\n${passed} passed, ${failed} failed, ${skipped.length} skipped`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
