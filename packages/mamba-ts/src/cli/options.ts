import { parseArgs } from 'node:util';
import { MambaError } from '@mamba-ts/backend';

/** One option of a verb: what `--help` prints and what is accepted. */
export interface Option {
  readonly kind: 'text' | 'number' | 'integer' | 'flag';
  readonly help: string;
  /** What stands for the value in the help: `FILE`, `N`. */
  readonly value?: string;
  readonly choices?: readonly string[];
  readonly min?: number;
  readonly max?: number;
  readonly short?: string;
  readonly fallback?: string | number;
  readonly required?: boolean;
}

export type Options = Readonly<Record<string, Option>>;

/** The parsed values: always a string for `text`, a number for `number` and `integer`, a boolean for `flag`. */
export class Values {
  readonly #values: ReadonlyMap<string, string | number | boolean>;

  constructor(values: ReadonlyMap<string, string | number | boolean>) {
    this.#values = values;
  }

  text(name: string): string | undefined {
    return this.#values.get(name) as string | undefined;
  }

  number(name: string): number | undefined {
    return this.#values.get(name) as number | undefined;
  }

  flag(name: string): boolean {
    return this.#values.get(name) === true;
  }
}

function invalid(message: string): never {
  throw new MambaError('INVALID_ARGUMENT', message);
}

/** Reads a verb's arguments. Anything wrong is an `INVALID_ARGUMENT` of one line that names the option. */
export function parseOptions(argv: readonly string[], options: Options): Values {
  let given: Record<string, string | boolean | undefined>;
  try {
    given = parseArgs({
      args: joinValues(argv, options),
      options: Object.fromEntries(
        Object.entries(options).map(([name, { kind, short }]) => [
          name,
          { type: kind === 'flag' ? 'boolean' : 'string', ...(short === undefined ? {} : { short }) },
        ]),
      ),
    }).values as typeof given;
  } catch (error) {
    invalid((error as Error).message.split('\n')[0].replace(/\.? To specify.*/, ''));
  }
  const values = new Map<string, string | number | boolean>();
  for (const [name, option] of Object.entries(options)) {
    const raw = given[name] ?? option.fallback;
    if (raw === undefined) {
      if (option.required) invalid(`${label(name, option)} is required`);
      continue;
    }
    values.set(name, typeof raw === 'string' ? read(name, raw, option) : raw);
  }
  return new Values(values);
}

/** `--name -1` as `--name=-1`: a value may begin with a dash, which parseArgs would take for an option. */
function joinValues(argv: readonly string[], options: Options): string[] {
  const joined: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const option = argv[i].startsWith('--') ? options[argv[i].slice(2)] : undefined;
    if (option && option.kind !== 'flag' && i + 1 < argv.length) joined.push(`${argv[i]}=${argv[++i]}`);
    else joined.push(argv[i]);
  }
  return joined;
}

function read(name: string, raw: string, option: Option): string | number {
  const { kind, choices, min = -Infinity, max = Infinity } = option;
  if (kind === 'text') {
    if (choices && !choices.includes(raw))
      invalid(`--${name} must be one of ${choices.join(', ')}; got "${raw}"`);
    return raw;
  }
  const value = raw.trim() === '' ? Number.NaN : Number(raw);
  if (!Number.isFinite(value) || (kind === 'integer' && !Number.isSafeInteger(value))) {
    invalid(`--${name} must be ${kind === 'integer' ? 'a whole number' : 'a number'}; got "${raw}"`);
  }
  if (value < min || value > max) {
    invalid(
      `--${name} must be ${max === Infinity ? `at least ${min}` : `from ${min} to ${max}`}; got ${value}`,
    );
  }
  return value;
}

/** `--out DIR`. */
function label(name: string, { kind, value = kind === 'text' ? 'TEXT' : 'N' }: Option): string {
  return kind === 'flag' ? `--${name}` : `--${name} ${value}`;
}

/** ` [10]`; a text that does not show as itself, say a line break, as in JSON. */
function fallbackOf({ fallback }: Option): string {
  if (fallback === undefined) return '';
  const shown = String(fallback);
  return ` [${/^[\x21-\x7e]+$/.test(shown) ? shown : JSON.stringify(shown)}]`;
}

/** The option lines of `--help`. */
export function describeOptions(options: Options): string {
  const rows = Object.entries(options).map(([name, option]) => {
    const choices = option.choices ? ` (${option.choices.join('|')})` : '';
    return [`  ${label(name, option)}`, `${option.help}${choices}${fallbackOf(option)}`];
  });
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  return rows.map(([left, right]) => left.padEnd(width) + right).join('\n');
}
