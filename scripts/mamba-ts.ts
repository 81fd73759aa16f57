/* `pnpm mamba-ts VERB ...` in a clone: builds what changed (turbo's words go to stderr), then runs the command line. */
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from './workspace.js';

const build = spawnSync('turbo', ['run', 'build', '--filter=mamba-ts', '--output-logs=errors-only'], {
  cwd: root,
  stdio: ['ignore', 2, 2],
  env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1' },
});
if (build.status !== 0) process.exit(build.status ?? 1);

const child = spawn(
  process.execPath,
  [join(root, 'packages/mamba-ts/dist/bin.js'), ...process.argv.slice(2)],
  { stdio: 'inherit', cwd: process.env['INIT_CWD'] ?? process.cwd() },
);
// Ctrl-C reaches the child by itself: this process only waits for it to stop cleanly.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));
