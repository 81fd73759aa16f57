import { describe, expect, test } from 'vitest';
import { expectError } from '../test/helpers.js';
import { readJson } from './read-json.js';
import { memorySource } from './sources/memory.js';

const read = (content: string | Uint8Array, options = {}) =>
  readJson(memorySource({ 'config.json': content }), 'config.json', options);

describe('readJson', () => {
  test('reads a configuration as Python writes it', async () => {
    const config = await read(
      '{"time_step_limit": [0.0, Infinity], "x": -Infinity, "y": NaN, "n": {"m": null}}\n',
    );
    expect(config).toEqual({ time_step_limit: [0, Infinity], x: -Infinity, y: NaN, n: { m: null } });
  });

  test('skips a byte order mark', async () => {
    expect(await read('\ufeff{"a":1}')).toEqual({ a: 1 });
    await expectError(read('\ufeff{"a":}'), 'CHECKPOINT_FORMAT', /at byte 8$/);
  });

  test.each<[string, string | Uint8Array, RegExp]>([
    ['an empty file', '', /^config\.json: an end where a value should be at byte 0/],
    ['a comment', '{} // x', /"\/" where the end should be at byte 3/],
    ['single quotes', "{'a':1}", /where a name in double quotes should be at byte 1/],
    ['a name twice', '{"a":1,"é":2,"a":3}', /the name "a" a second time in one object at byte 14/],
    ['half a text', '{"a":"x', /a string without end at byte 5/],
    ['100000 levels', '['.repeat(1e5), /more than 100 levels of nesting/],
    ['bytes that are not UTF-8', Uint8Array.of(0x22, 0xff, 0x22), /not UTF-8/],
  ])('refuses %s', async (_, content, message) => {
    await expectError(read(content), 'CHECKPOINT_FORMAT', message);
  });

  test('refuses a large file before it reads it', async () => {
    const source = {
      ...memorySource({}),
      size: async () => 2 ** 40,
      read: () => Promise.reject(new Error('was read')),
    };
    await expectError(
      readJson(source, 'config.json'),
      'CHECKPOINT_FORMAT',
      /1099511627776 bytes; at most 67108864/,
    );
    await expectError(read('[1,2]', { maxBytes: 4 }), 'CHECKPOINT_FORMAT', /5 bytes; at most 4/);
  });

  test('nothing in it reaches a prototype', async () => {
    const config = (await read(
      '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}',
    )) as object;
    expect(Object.keys(config)).toEqual(['__proto__', 'constructor']);
    expect(({ ...config } as { polluted?: number }).polluted).toBeUndefined();
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  test('a missing file, an abort', async () => {
    await expectError(readJson(memorySource({}), 'config.json'), 'IO', /config\.json: no such file/);
    await expectError(read('{}', { signal: AbortSignal.abort() }), 'ABORTED', /aborted/);
  });
});
