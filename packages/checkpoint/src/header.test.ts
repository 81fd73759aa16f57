import { describe, expect, test } from 'vitest';
import { expectError, file } from '../test/helpers.js';
import { openCheckpoint } from './open-checkpoint.js';

const f32 = (shape: unknown, start: unknown, end: unknown) => ({
  dtype: 'F32',
  shape,
  data_offsets: [start, end],
});

/** Header, bytes of data, what the message says, details. */
const malformed: [string, Uint8Array, RegExp, Record<string, unknown>?][] = [
  ['an empty file', new Uint8Array(0), /0 bytes; a safetensors file has at least 8/],
  ['7 bytes', new Uint8Array(7), /7 bytes; a safetensors file has at least 8/],
  ['a header past the file', file('{}', 0, 3n), /would take 3 bytes, but the file ends at 10/, { offset: 0 }],
  [
    'a header of 2^63 bytes',
    file('{}', 0, 1n << 63n),
    /header 9223372036854775808 bytes; the limit is 100000000/,
  ],
  ['a header over the limit', file('{}', 0, 100_000_001n), /header 100000001 bytes; the limit is 100000000/],
  ['a header of 0 bytes', file('', 0), /an end where \{ should be at byte 8/],
  ['a pickle', new TextEncoder().encode('\x80\x02ctorch._utils\n_rebuild'), /Not a safetensors file\?/],
  ['HTML', file('<html>'), /"<" where \{ should be at byte 8/, { offset: 8 }],
  ['a space before {', file(' {}'), /" " where \{ should be/],
  ['a byte order mark', file('\ufeff{}'), /where \{ should be/],
  ['a list', file('[]'), /"\[" where \{ should be/],
  [
    'not UTF-8',
    file('{"a": "\u0000"}').map((byte) => (byte === 0x61 ? 0xff : byte)),
    /the header is not UTF-8/,
  ],
  ['broken JSON', file('{"é":}'), /"}" where a value should be at byte 14 of the file/, { offset: 14 }],
  ['JSON after JSON', file('{}{}'), /"\{" where the end should be at byte 10/],
  ['zeros after JSON', file('{}\0\0'), /where the end should be/],
  ['deep nesting', file(`{"a":${'['.repeat(1e5)}`), /more than 8 levels of nesting/],
  [
    'many empty objects',
    file(`{"a":{"x":[${'{},'.repeat(1e5)}{}]}}`),
    /more than 50018 arrays, objects and names/,
  ],
  [
    'one name twice',
    file(`{"a":${JSON.stringify(f32([1], 0, 4))},"\\u0061":${JSON.stringify(f32([1], 4, 8))}}`, 8),
    /the name "a" a second time/,
  ],
  [
    '__metadata__ twice',
    file('{"__metadata__":{},"__metadata__":{}}'),
    /the name "__metadata__" a second time/,
  ],
  ['metadata of a number', file({ __metadata__: { step: 1 } }), /__metadata__\["step"\] is 1, not a string/],
  [
    'metadata of a negative number',
    file({ __metadata__: { step: -1 } }),
    /__metadata__\["step"\] is -1, not a string/,
  ],
  ['metadata of a number itself', file({ __metadata__: -1 }), /__metadata__ is not an object of strings/],
  ['an entry of a number', file({ a: 0.5 }), /tensor "a": 0.5 where \{ dtype/],
  ['metadata null', file({ __metadata__: null }), /__metadata__ is not an object of strings/],
  ['metadata list', file({ __metadata__: ['a'] }), /__metadata__ is not an object of strings/],
  ['an entry of null', file({ a: null }), /tensor "a": null where \{ dtype/, { tensor: 'a' }],
  [
    'no dtype',
    file({ a: { shape: [1], data_offsets: [0, 4] } }, 4),
    /tensor "a": dtype undefined is none of BOOL/,
  ],
  ['an unknown dtype', file({ a: { ...f32([1], 0, 4), dtype: 'F128' } }, 4), /dtype "F128" is none of/],
  ['a dtype of JavaScript', file({ a: { ...f32([1], 0, 4), dtype: 'constructor' } }, 4), /is none of/],
  ['a lower-case dtype', file({ a: { ...f32([1], 0, 4), dtype: 'f32' } }, 4), /dtype "f32" is none of/],
  ['no shape', file({ a: { dtype: 'F32', data_offsets: [0, 4] } }, 4), /shape undefined is not an array/],
  ['a shape of a number', file({ a: f32(1, 0, 4) }, 4), /shape 1 is not an array/],
  ['a negative dimension', file({ a: f32([-1, -1], 0, 4) }, 4), /shape\[0\] is -1, not a whole number/],
  ['a fraction', file({ a: f32([1, 0.5], 0, 2) }, 2), /shape\[1\] is 0.5, not a whole number/],
  ['an exponent', file('{"a":{"dtype":"F32","shape":[1e0],"data_offsets":[0,4]}}', 4), /is NaN, not a whole/],
  ['minus zero', file('{"a":{"dtype":"F32","shape":[-0],"data_offsets":[0,0]}}'), /is NaN, not a whole/],
  ['a dimension as text', file({ a: f32(['1'], 0, 4) }, 4), /shape\[0\] is "1", not a whole number/],
  ['a dimension null', file({ a: f32([null], 0, 4) }, 4), /shape\[0\] is null/],
  [
    'a dimension over 2^53',
    file('{"a":{"dtype":"F32","shape":[9007199254740993],"data_offsets":[0,4]}}', 4),
    /shape\[0\] is 9007199254740992, not/,
  ],
  ['a product over 2^53', file({ a: f32([2 ** 27, 2 ** 27], 0, 4) }, 4), /takes more than 2\^53 bytes/],
  ['bytes over 2^53', file({ a: f32([2 ** 52], 0, 4) }, 4), /takes more than 2\^53 bytes/],
  [
    'a product that wraps to 0 in 64 bits',
    file({ a: f32([2 ** 32, 2 ** 32], 0, 0) }),
    /takes more than 2\^53/,
  ],
  [
    'a fraction of a byte',
    file({ a: { dtype: 'F4', shape: [3], data_offsets: [0, 2] } }, 2),
    /fraction of a byte/,
  ],
  [
    'no offsets',
    file({ a: { dtype: 'F32', shape: [] } }),
    /data_offsets undefined are not two whole numbers/,
  ],
  [
    'one offset',
    file({ a: { dtype: 'F32', shape: [], data_offsets: [0] } }),
    /data_offsets \[0\] are not two/,
  ],
  [
    'three offsets',
    file({ a: { dtype: 'F32', shape: [], data_offsets: [0, 4, 8] } }, 8),
    /are not two whole numbers/,
  ],
  ['a negative offset', file({ a: f32([1], -4, 0) }), /data_offsets \[-4,0\] are not two whole numbers/],
  ['offsets backwards', file({ a: f32([1], 4, 0) }, 4), /data_offsets \[4, 0\] run backwards/],
  [
    'offsets past the file',
    file({ a: f32([2], 0, 8) }, 4),
    /its data ends at 8, but the file has 4 bytes of data/,
  ],
  [
    'offsets far past the file',
    file({ a: f32([2 ** 50], 0, 2 ** 52) }, 4),
    /its data ends at 4503599627370496/,
  ],
  [
    'fewer bytes than the shape',
    file({ a: f32([2], 0, 4) }, 4),
    /shape \[2\] of f32 takes 8 bytes, but .* span 4/,
  ],
  [
    'more bytes than the shape',
    file({ a: f32([], 0, 8) }, 8),
    /shape \[\] of f32 takes 4 bytes, but .* span 8/,
  ],
  [
    'overlap',
    file({ a: f32([2], 0, 8), b: f32([2], 4, 12) }, 12),
    /tensor "b" begins at 4 of the data, inside "a", which ends at 8: overlap/,
    { tensor: 'b' },
  ],
  [
    'the same data twice',
    file({ a: f32([2], 0, 8), b: f32([2], 0, 8) }, 8),
    /tensor "b" begins at 0 .*: overlap/,
  ],
  [
    'an empty tensor inside another',
    file({ a: f32([2], 0, 8), b: f32([0], 4, 4) }, 8),
    /"b" begins at 4 .*: overlap/,
  ],
  [
    'a hole',
    file({ a: f32([1], 0, 4), b: f32([1], 8, 12) }, 12),
    /"b" begins at 8 of the data, but "a" ends at 4: a hole/,
  ],
  ['a hole at the start', file({ a: f32([1], 4, 8) }, 8), /but the data begins at 0: a hole/],
  ['bytes after the last tensor', file({ a: f32([1], 0, 4) }, 5), /1 bytes belong to none/],
  ['bytes and no tensor', file({}, 5), /5 bytes belong to none/],
  [
    'half a surrogate pair',
    file('{"\\ud800":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}', 4),
    /half a surrogate/,
  ],
];

describe('a malformed file is refused, and the message says where', () => {
  test.each(malformed)('%s', async (_, bytes, message, details) => {
    const error = await expectError(openCheckpoint(bytes), 'CHECKPOINT_FORMAT', message);
    expect(error.message).toMatch(/^model\.safetensors: /);
    expect(error.message.length).toBeLessThan(500);
    expect(error.details).toMatchObject({ file: 'model.safetensors', ...details });
  });
});

describe('a sound file loads', () => {
  test('by hand: tensors, offsets, metadata', async () => {
    const data = new Uint8Array(14);
    new DataView(data.buffer).setFloat32(0, 1.5, true);
    new DataView(data.buffer).setFloat32(4, -2, true);
    new DataView(data.buffer).setInt32(8, -7, true);
    data.set([0x00, 0x3c], 12);
    const bytes = file(
      {
        half: { dtype: 'F16', shape: [1, 1], data_offsets: [12, 14] },
        __metadata__: { format: 'pt' },
        pair: { dtype: 'F32', shape: [2], data_offsets: [0, 8], extra: [1.5, { a: null }] },
        scalar: { dtype: 'I32', shape: [], data_offsets: [8, 12] },
      },
      data,
    );
    const checkpoint = await openCheckpoint(bytes);
    expect([...checkpoint.tensors.keys()]).toEqual(['pair', 'scalar', 'half']);
    const start = bytes.length - 14;
    expect(checkpoint.tensors.get('scalar')).toEqual({
      dtype: 'i32',
      shape: [],
      bytes: 4,
      file: 'model.safetensors',
      offset: start + 8,
    });
    expect({ ...checkpoint.metadata }).toEqual({ format: 'pt' });
    expect(await checkpoint.read('pair')).toEqual({
      dtype: 'f32',
      shape: [2],
      data: Float32Array.of(1.5, -2),
    });
    expect(await checkpoint.read('scalar')).toEqual({ dtype: 'i32', shape: [], data: Int32Array.of(-7) });
    expect(await checkpoint.read('half')).toEqual({
      dtype: 'f16',
      shape: [1, 1],
      data: Uint16Array.of(0x3c00),
    });
  });

  test('no tensors', async () => {
    expect((await openCheckpoint(file('{}'))).tensors.size).toBe(0);
  });

  test('padding of spaces', async () => {
    expect((await openCheckpoint(file(`{}${' '.repeat(100)}`))).tensors.size).toBe(0);
  });

  test('empty tensors, before, between and after others', async () => {
    const checkpoint = await openCheckpoint(
      file(
        {
          a: f32([0], 0, 0),
          b: f32([1], 0, 4),
          c: f32([3, 0, 2], 4, 4),
          d: f32([1], 4, 8),
          e: f32([0], 8, 8),
        },
        8,
      ),
    );
    expect(await checkpoint.read('c')).toEqual({ dtype: 'f32', shape: [3, 0, 2], data: new Float32Array(0) });
  });

  test('names that mean something to JavaScript', async () => {
    const entry = JSON.stringify(f32([1], 0, 4));
    const other = JSON.stringify(f32([1], 4, 8));
    const text = `{"__proto__":${entry},"constructor":${other},"__metadata__":{"__proto__":"x","toString":"y"}}`;
    const checkpoint = await openCheckpoint(file(text, 8));
    expect([...checkpoint.tensors.keys()]).toEqual(['__proto__', 'constructor']);
    expect((await checkpoint.read('__proto__')).data).toEqual(Float32Array.of(0));
    expect(Object.entries(checkpoint.metadata)).toEqual([
      ['__proto__', 'x'],
      ['toString', 'y'],
    ]);
    expect('shape' in {}).toBe(false);
  });

  test('data that is not aligned is copied', async () => {
    const data = new Uint8Array(13);
    new DataView(data.buffer).setFloat64(5, Math.PI, true);
    const bytes = file(
      {
        a: { dtype: 'U8', shape: [5], data_offsets: [0, 5] },
        b: { dtype: 'F64', shape: [1], data_offsets: [5, 13] },
      },
      data,
    );
    for (const shift of [0, 1, 2, 3, 4, 5, 6, 7]) {
      const shifted = new Uint8Array(bytes.length + shift).subarray(shift);
      shifted.set(bytes);
      expect((await (await openCheckpoint(shifted)).read('b')).data).toEqual(Float64Array.of(Math.PI));
    }
  });

  test.each([
    ['F8_E4M3', 'f8_e4m3', 3],
    ['F8_E5M2', 'f8_e5m2', 3],
    ['F8_E8M0', 'f8_e8m0', 3],
    ['F4', 'f4', 6],
    ['F6_E2M3', 'f6_e2m3', 4],
    ['F6_E3M2', 'f6_e3m2', 4],
    ['F8_E4M3FNUZ', 'f8_e4m3fnuz', 3],
  ])('%s comes as raw bytes', async (name, dtype, elements) => {
    const bytes = file(
      { a: { dtype: name, shape: [elements], data_offsets: [0, 3] } },
      Uint8Array.of(1, 2, 3),
    );
    expect(await (await openCheckpoint(bytes)).read('a')).toEqual({
      dtype,
      shape: [elements],
      data: Uint8Array.of(1, 2, 3),
    });
  });
});
