/* `pnpm mamba-ts VERB ...` in a clone: builds what changed, in silence unless it fails, then runs the command line. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { root } from './workspace.js';

/** A build that takes longer than this is the first one, or the one after a change: say so. */
const PATIENCE_MS = 1500;

const build = spawn('turbo', ['run', 'build', '--filter=mamba-ts', '--output-logs=errors-only'], {
  cwd: root,
  stdio: ['ignore', 'pipe', 'pipe'],
  env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1' },
});
let said = '';
for (const stream of [build.stdout, build.stderr]) {
  stream.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
}
const slow = setTimeout(
  () => process.stderr.write('Building, half a minute the first time ...\n'),
  PATIENCE_MS,
);
const status = await new Promise<number>((resolve) => build.on('close', (code) => resolve(code ?? 1)));
clearTimeout(slow);
if (status !== 0) {
  process.stderr.write(said);
  process.exit(status);
}

const child = spawn(
  process.execPath,
  [join(root, 'packages/mamba-ts/dist/bin.js'), ...process.argv.slice(2)],
  { stdio: 'inherit', cwd: process.env['INIT_CWD'] ?? process.cwd() },
);
// Ctrl-C reaches the child by itself: this process only waits for it to stop cleanly.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));
