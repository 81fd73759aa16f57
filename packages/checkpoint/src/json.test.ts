import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { byteOffset, parseJson, quote } from './json.js';

const parse = (text: string, nonFinite = false) =>
  parseJson(text, {
    fail: (problem, index) => {
      throw new Error(`${problem} @${index}`);
    },
    maxDepth: 20,
    maxNodes: 1000,
    nonFinite,
  });

describe('parseJson', () => {
  test('agrees with JSON.parse on what JSON.stringify writes', () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ noUnicodeString: false }),
        fc.constantFrom(undefined, 1, '\t'),
        (value, indent) => {
          const text = JSON.stringify(value, null, indent);
          // Through JSON both times: our objects have no prototype.
          expect(JSON.stringify(parse(text))).toBe(JSON.stringify(JSON.parse(text)));
        },
      ),
    );
  });

  test('agrees with JSON.parse on whether a text with one character changed is JSON', () => {
    const text = '{"a\\n\\u00e9":[1,-2.5e+3,0,true,null],"b":{"c":"\\\\"},"d":[]}';
    const characters = [...'{}[]":,\\0019-+.eEtfnu x\n\u0001'];
    fc.assert(
      fc.property(
        fc.nat(text.length - 1),
        fc.constantFrom(...characters),
        fc.boolean(),
        (at, character, insert) => {
          const changed = text.slice(0, at) + character + text.slice(at + (insert ? 0 : 1));
          let expected: unknown;
          try {
            expected = JSON.parse(changed);
          } catch {
            expect(() => parse(changed)).toThrow();
            return;
          }
          expect(JSON.stringify(parse(changed))).toBe(JSON.stringify(expected));
        },
      ),
      { numRuns: 2000 },
    );
  });

  test.each([
    ['{"a":1,"a":2}', 'the name "a" a second time in one object @7'],
    ['{"a":1,"\\u0061":2}', 'the name "a" a second time in one object @7'],
    ['{"__proto__":1,"__proto__":2}', 'the name "__proto__" a second time in one object @15'],
    ['{"a":{"b":1},"c":{"b":1,"b":1}}', 'the name "b" a second time in one object @24'],
    ['', 'an end where a value should be @0'],
    ['[1', 'an end where a comma or ] should be @2'],
    ['{"a":1', 'an end where a comma or } should be @6'],
    ['{a:1}', '"a" where a name in double quotes should be @1'],
    ['{"a" 1}', '"1" where a colon should be @5'],
    ['[1,]', '"]" where a value should be @3'],
    ['1 2', '"2" where the end should be @2'],
    ['01', '"1" where the end should be @1'],
    ['"abc', 'a string without end @0'],
    ['"a\nb"', 'a control character inside a string @2'],
    ['[1,"a\\x"]', 'a string with an unknown escape @3'],
    ['"\\u12g4"', 'a string with an unknown escape @0'],
    ['"\\', 'a string without end @0'],
    [`[${'{},'.repeat(2000)}0]`, 'more than 1000 arrays, objects and names @2998'],
    ['[NaN]', '"N" where a value should be @1'],
    ['['.repeat(21), 'more than 20 levels of nesting @20'],
    ['{"a":'.repeat(100_000), 'more than 20 levels of nesting @100'],
  ])('refuses %s', (text, message) => {
    expect(() => parse(text)).toThrow(new Error(message));
  });

  test('reads what Python writes for numbers that are not finite', () => {
    expect(parse('[Infinity, -Infinity, NaN, -1]', true)).toEqual([Infinity, -Infinity, NaN, -1]);
  });

  test('a name that means something to JavaScript is only a name', () => {
    const value = parse('{"__proto__":{"polluted":true},"constructor":1}') as Record<string, unknown>;
    expect(Object.getPrototypeOf(value)).toBeNull();
    expect(Object.keys(value)).toEqual(['__proto__', 'constructor']);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});

test('what a message quotes is short', () => {
  expect(quote('x'.repeat(1e6))).toHaveLength(100);
  expect(quote(undefined)).toBe('undefined');
});

test('offsets count bytes, not characters', () => {
  expect(byteOffset('é€😀x', 4)).toBe(2 + 3 + 4);
});
