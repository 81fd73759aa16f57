#!/usr/bin/env node
import { main } from './cli/main.js';

const interrupted = new AbortController();
let interrupts = 0;
process.on('SIGINT', () => {
  // The first Ctrl-C asks the work to stop where it is whole; the second does not wait for that.
  if (++interrupts > 1) process.exit(130);
  interrupted.abort(new Error('interrupted'));
});
// A reader that went away (`| head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

process.exitCode = await main(process.argv.slice(2), {
  out: (text) => void process.stdout.write(text),
  note: (text) => void process.stderr.write(text),
  isTerminal: process.stderr.isTTY === true,
  signal: interrupted.signal,
});
