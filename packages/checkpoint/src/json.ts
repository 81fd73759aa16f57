/*
 * A JSON parser of our own, because JSON.parse cannot do three things that files of strangers need: see a name that
 * occurs twice (it silently takes the last), read the Infinity and NaN that Python writes, and keep the text of a number
 * so that 1.5, -1 and 9007199254740993 can be told from a length.
 */

export interface JsonOptions {
  /** Throws. `index` is in UTF-16 units of the text. */
  fail(problem: string, index: number): never;
  /** Also read `Infinity`, `-Infinity` and `NaN`, as Python's json module writes and reads them. */
  nonFinite?: boolean;
  /** Levels of arrays and objects; more is an error, not a stack overflow. */
  maxDepth: number;
  /** What to make of a number's text. Default: `Number`. */
  number?(text: string): unknown;
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids them in strings
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const WHITESPACE = /[ \t\n\r]*/y;
const HEX4 = /[0-9a-fA-F]{4}/y;
const WORDS: readonly [string, unknown][] = [
  ['true', true],
  ['false', false],
  ['null', null],
];
const NON_FINITE: readonly [string, unknown][] = [
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
];
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

/** Cuts what a message quotes: a malformed file may hold a name of megabytes. */
export function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 100 ? `${text.slice(0, 97)}...` : text;
}

/**
 * Parses JSON strictly (RFC 8259), but for `nonFinite`; a name that occurs twice in one object is an error. Objects
 * have no prototype: `__proto__` and `constructor` are names like any other.
 */
export function parseJson(text: string, options: JsonOptions): unknown {
  const { fail, maxDepth, number = Number } = options;
  const words = options.nonFinite ? [...WORDS, ...NON_FINITE] : WORDS;
  let at = 0;

  function match(pattern: RegExp): string | undefined {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    if (found !== undefined) at += found.length;
    return found;
  }

  /** Skips white space, then the character if it is next. */
  function next(character: string): boolean {
    match(WHITESPACE);
    if (text[at] !== character) return false;
    at++;
    return true;
  }

  function unexpected(expected: string): never {
    return fail(
      at < text.length
        ? `${quote(text[at])} where ${expected} should be`
        : `an end where ${expected} should be`,
      at,
    );
  }

  function string(): string {
    const start = at - 1;
    let result = '';
    for (;;) {
      result += match(PLAIN);
      if (at >= text.length) fail('a string without end', start);
      const character = text[at++];
      if (character === '"') return result;
      if (character !== '\\') fail('a control character inside a string', at - 1);
      const letter = text[at++];
      if (letter === 'u') {
        const code = match(HEX4);
        if (code === undefined) fail('a \\u without four hexadecimal digits', at - 2);
        result += String.fromCharCode(Number.parseInt(code as string, 16));
      } else if (letter !== undefined && Object.hasOwn(ESCAPES, letter)) {
        result += ESCAPES[letter];
      } else {
        fail('an unknown escape', at - 2);
      }
    }
  }

  function members(depth: number): Record<string, unknown> {
    const object: Record<string, unknown> = Object.create(null);
    if (next('}')) return object;
    do {
      if (!next('"')) unexpected('a name in double quotes');
      const start = at - 1;
      const name = string();
      if (Object.hasOwn(object, name)) fail(`the name ${quote(name)} a second time in one object`, start);
      if (!next(':')) unexpected('a colon');
      object[name] = value(depth);
    } while (next(','));
    if (!next('}')) unexpected('a comma or }');
    return object;
  }

  function elements(depth: number): unknown[] {
    const array: unknown[] = [];
    if (next(']')) return array;
    do array.push(value(depth));
    while (next(','));
    if (!next(']')) unexpected('a comma or ]');
    return array;
  }

  function value(depth: number): unknown {
    match(WHITESPACE);
    const character = text[at];
    if (character === '{' || character === '[') {
      if (depth === 0) fail(`more than ${maxDepth} levels of nesting`, at);
      at++;
      return character === '{' ? members(depth - 1) : elements(depth - 1);
    }
    if (character === '"') {
      at++;
      return string();
    }
    for (const [word, meaning] of words) {
      if (text.startsWith(word, at)) {
        at += word.length;
        return meaning;
      }
    }
    const digits = match(NUMBER);
    return digits === undefined ? unexpected('a value') : number(digits);
  }

  const result = value(maxDepth);
  match(WHITESPACE);
  if (at < text.length) unexpected('the end');
  return result;
}

/** Whether a parsed value is an object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Decodes UTF-8; undefined where the bytes are not UTF-8. Keeps a byte order mark. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Bytes of UTF-8 before an index of a text: error messages point into the file. */
export function byteOffset(text: string, index: number): number {
  return new TextEncoder().encode(text.slice(0, index)).length;
}
