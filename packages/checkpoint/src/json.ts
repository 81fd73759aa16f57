/*
 * A JSON parser of our own, because JSON.parse cannot do three things that files of strangers need: see a name that
 * occurs twice (it silently takes the last), read the Infinity and NaN that Python writes, and keep the text of a number
 * so that 1.5, -1 and 9007199254740993 can be told from a length.
 */

export interface JsonOptions {
  /** Throws. `index` is in UTF-16 units of the text. */
  fail(problem: string, index: number): never;
  /** Also read `Infinity`, `-Infinity` and `NaN`, as Python's json module writes and reads them. */
  nonFinite?: boolean | undefined;
  /** Levels of arrays and objects; more is an error, not a stack overflow. */
  maxDepth: number;
  /** Arrays, objects and names in all: an empty object takes some 40 times the memory of its text. */
  maxNodes: number;
  /** What to make of a number's text. Default: `Number`. */
  number?(text: string): unknown;
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids them in strings
const PLAIN = /[^"\\\u0000-\u001f]*/y;
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

/** The beginning of a value: a malformed file may hold a name of megabytes, or a list of millions. */
function beginning(value: unknown, depth = 3): unknown {
  if (typeof value === 'string') return value.slice(0, 100);
  if (typeof value !== 'object' || value === null || depth === 0) return value;
  if (Array.isArray(value)) return value.slice(0, 50).map((item) => beginning(item, depth - 1));
  const entries = Object.entries(value).slice(0, 50);
  return Object.fromEntries(entries.map(([key, item]) => [key, beginning(item, depth - 1)]));
}

/** A value as a message quotes it, cut at 100 characters. */
export function quote(value: unknown): string {
  const text =
    typeof value === 'number' ? String(value) : (JSON.stringify(beginning(value)) ?? String(value));
  return text.length > 100 ? `${text.slice(0, 97)}...` : text;
}

/**
 * Parses JSON strictly (RFC 8259), but for `nonFinite`; a name that occurs twice in one object is an error. Objects
 * have no prototype: `__proto__` and `constructor` are names like any other.
 */
export function parseJson(text: string, options: JsonOptions): unknown {
  const { fail, maxDepth, maxNodes, number = Number } = options;
  const words = options.nonFinite ? [...WORDS, ...NON_FINITE] : WORDS;
  let at = 0;
  let nodes = 0;

  function match(pattern: RegExp): string | undefined {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    if (found !== undefined) at += found.length;
    return found;
  }

  function skipSpace(): void {
    for (let c = text.charCodeAt(at); c === 32 || c === 10 || c === 13 || c === 9; c = text.charCodeAt(at))
      at++;
  }

  /** Skips white space, then the character if it is next. */
  function next(character: string): boolean {
    skipSpace();
    if (text[at] !== character) return false;
    at++;
    return true;
  }

  function count(): void {
    if (++nodes > maxNodes) fail(`more than ${maxNodes} arrays, objects and names`, at);
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
    for (;;) {
      match(PLAIN);
      if (at >= text.length) fail('a string without end', start);
      const character = text[at++];
      if (character === '"') break;
      if (character !== '\\') fail('a control character inside a string', at - 1);
      at++;
    }
    // Decoding escapes one by one would build a chain of a string for each.
    try {
      return JSON.parse(text.slice(start, at));
    } catch {
      return fail('a string with an unknown escape', start);
    }
  }

  function members(depth: number): Record<string, unknown> {
    const object: Record<string, unknown> = Object.create(null);
    if (next('}')) return object;
    do {
      if (!next('"')) unexpected('a name in double quotes');
      count();
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
    skipSpace();
    const character = text[at];
    if (character === '{' || character === '[') {
      count();
      if (depth === 0) fail(`more than ${maxDepth} levels of nesting`, at);
      at++;
      return character === '{' ? members(depth - 1) : elements(depth - 1);
    }
    if (character === '"') {
      at++;
      return string();
    }
    const digits = match(NUMBER);
    if (digits !== undefined) return number(digits);
    for (const [word, meaning] of words) {
      if (text.startsWith(word, at)) {
        at += word.length;
        return meaning;
      }
    }
    return unexpected('a value');
  }

  const result = value(maxDepth);
  skipSpace();
  if (at < text.length) unexpected('the end');
  return result;
}

/** Whether a value that `parseJson` gave is an object. */
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
