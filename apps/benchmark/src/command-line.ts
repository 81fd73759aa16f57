import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const bin = join(dirname(createRequire(import.meta.url).resolve('mamba-ts/package.json')), 'dist', 'bin.js');

/**
 * Runs `mamba-ts ARGV --json` in a process of its own, so that one backend's threads and memory are gone before the next is
 * measured, and gives what it prints. Its notes go to this process's stderr; where it fails, it has said why, and this
 * process ends as it did.
 */
export async function mambaTs<T>(...argv: string[]): Promise<T> {
  const child = spawn(process.execPath, [bin, ...argv, '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  const code = await new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? 1)));
  if (code !== 0) process.exit(code);
  return JSON.parse(printed) as T;
}
