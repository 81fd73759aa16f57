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

/** Errors that the person at the terminal can mend: one line and exit code 2, no stack. */
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
  return `mamba-ts: selective state space models (Mamba) in TypeScript\n\nUsage: mamba-ts VERB [options]\n\n${rows.join('\n')}\n\nmamba-ts VERB --help lists a verb's options.\n`;
}

function help(verb: Verb): string {
  return `mamba-ts ${verb.name}: ${verb.summary}\n\n${describeOptions(verb.options)}\n\nExample: ${verb.example}\n`;
}

/** Runs the command line. Returns the exit code: 0 done, 1 failure, 2 bad input, 130 interrupted. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    io.out(usage());
    return name === undefined ? 2 : 0;
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
    if (isUserError(error)) {
      io.note(`mamba-ts ${name}: ${error.message}\n`);
      return 2;
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

function isUserError(error: unknown): error is Error {
  if (error instanceof MambaError) return USER_ERRORS.has(error.code);
  const code = (error as { code?: unknown } | null)?.code;
  return error instanceof Error && ['ENOENT', 'EACCES', 'EISDIR', 'ENOTDIR'].includes(String(code));
}
