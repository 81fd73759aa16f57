import { MambaError } from '@mamba-ts/backend';
import { bench } from './bench.js';
import { demo } from './demo.js';
import { doctor } from './doctor.js';
import { evaluate } from './eval.js';
import { experiment } from './experiment.js';
import { generate } from './generate.js';
import { inspect } from './inspect.js';
import { describeOptions, parseOptions } from './options.js';
import { train } from './train.js';
import type { Io, Verb } from './verb.js';

const VERBS: readonly Verb[] = [demo, generate, train, experiment, evaluate, bench, inspect, doctor];

/** Errors that the person at the terminal can mend: exit code 2. All of ours are one line, without a stack. */
const USER_ERRORS = new Set([
  'INVALID_ARGUMENT',
  'CHECKPOINT_FORMAT',
  'UNSUPPORTED_MODEL',
  'UNSUPPORTED_DEVICE',
  'UNSUPPORTED_OP',
  'DTYPE',
  'DIVERGED',
  'IO',
]);

/** Exit code of a process stopped by Ctrl-C, as shells have it: 128 + SIGINT. */
const EXIT_INTERRUPTED = 130;

function usage(): string {
  const width = Math.max(...VERBS.map(({ name }) => name.length)) + 2;
  const rows = VERBS.map(({ name, summary }) => `  ${name.padEnd(width)}${summary}`);
  return `mamba-ts: selective state space models (Mamba) in TypeScript\n\nUsage: mamba-ts VERB [options]\n\n${rows.join('\n')}\n\nmamba-ts VERB --help lists a verb's options, mamba-ts --version says which this is.\n`;
}

function help(verb: Verb): string {
  return `mamba-ts ${verb.name}: ${verb.summary}\n\n${describeOptions(verb.options)}\n\nExample: ${verb.example}\n`;
}

/** Of this package: `package.json` lies above `src` and `dist` alike. */
async function version(): Promise<string> {
  const { readFile } = await import('node:fs/promises');
  const manifest = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

/** Runs the command line. Returns the exit code: 0 done, 1 failure, 2 bad input, 130 interrupted. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    io.out(usage());
    return name === undefined ? 2 : 0;
  }
  if (name === '--version' || name === '-v') {
    io.out(`${await version()}\n`);
    return 0;
  }
  const verb = VERBS.find((verb) => verb.name === name);
  if (verb === undefined) {
    io.note(`mamba-ts: there is no verb "${name}". Use ${VERBS.map(({ name }) => name).join(', ')}\n`);
    return 2;
  }
  if (rest.includes('--help') || rest.includes('-h')) {
    io.out(help(verb));
    return 0;
  }
  try {
    await verb.run(parseOptions(nameArgument(verb, rest), verb.options), io);
    return 0;
  } catch (error) {
    if (io.signal.aborted) return EXIT_INTERRUPTED;
    if (error instanceof MambaError || isSystemError(error)) {
      // Where the library's call has the verb's name, once is enough.
      io.note(`mamba-ts ${name}: ${error.message.replace(`${name}: `, '')}\n`);
      return !(error instanceof MambaError) || USER_ERRORS.has(error.code) ? 2 : 1;
    }
    io.note(`mamba-ts ${name}: ${error instanceof Error ? (error.stack ?? error.message) : error}\n`);
    return 1;
  }
}

/** Puts the option's name before a verb's first word, where it has one that may stand alone. */
function nameArgument({ argument }: Verb, args: readonly string[]): readonly string[] {
  const [first, ...others] = args;
  if (argument === undefined || first === undefined || first.startsWith('-')) return args;
  return [`--${argument}=${first}`, ...others];
}

/** A file or folder that Node could not read or write. */
function isSystemError(error: unknown): error is Error {
  const code = (error as { code?: unknown } | null)?.code;
  return error instanceof Error && ['ENOENT', 'EACCES', 'EISDIR', 'ENOTDIR'].includes(String(code));
}
