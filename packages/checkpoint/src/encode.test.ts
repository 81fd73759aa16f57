import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expectError } from '../test/helpers.js';
import { type CheckpointData, type CheckpointDType, DTYPE_NAMES, DTYPES } from './dtype.js';
import { encodeSafetensors, type TensorInput } from './encode.js';
import { openCheckpoint } from './open-checkpoint.js';

/** Arbitrary bits in the typed array of a dtype, so NaNs with payloads and both zeros too. */
function tensor(dtype: CheckpointDType, shape: number[], seed: number): TensorInput {
  const elements = shape.reduce((a, b) => a * b, 1);
  const bytes = new Uint8Array((elements * DTYPES[dtype].bits) / 8);
  let x = seed;
  for (let i = 0; i < bytes.length; i++) {
    x = Math.imul(x, 1103515245) + 12345;
    bytes[i] = x >>> 16;
  }
  const { array } = DTYPES[dtype];
  return { dtype, shape, data: new array(bytes.buffer, 0, bytes.length / array.BYTES_PER_ELEMENT) };
}

const bits = (data: CheckpointData) =>
  Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex');

const arbitraryTensor = fc
  .record({
    dtype: fc.constantFrom(...DTYPE_NAMES),
    shape: fc.array(fc.nat(5), { maxLength: 4 }),
    seed: fc.integer(),
  })
  // Sub-byte elements come in multiples of a byte.
  .map(({ dtype, shape, seed }) => tensor(dtype, /^f[46]/.test(dtype) ? [...shape, 4] : shape, seed));

const text = fc.string({ unit: 'grapheme' });
const name = fc
  .oneof(text, fc.constantFrom('__proto__', 'constructor', 'a"b\\c\n\u0000', '😀', '\uffff', '1', '2'))
  .filter((name) => name !== '__metadata__');

describe('encodeSafetensors', () => {
  test('what is written is read: any dtype, shape, name, bits', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.tuple(name, arbitraryTensor), { selector: ([name]) => name, maxLength: 8 }),
        fc.dictionary(text, text, { maxKeys: 4, noNullPrototype: true }),
        async (tensors, metadata) => {
          const checkpoint = await openCheckpoint(encodeSafetensors(tensors, metadata));
          expect(Object.entries(checkpoint.metadata).sort()).toEqual(Object.entries(metadata).sort());
          expect([...checkpoint.tensors.keys()].sort()).toEqual(tensors.map(([name]) => name).sort());
          for (const [name, { dtype, shape, data }] of tensors) {
            const read = await checkpoint.read(name);
            expect({ dtype: read.dtype, shape: read.shape }).toEqual({ dtype, shape });
            expect(read.data.constructor).toBe(data.constructor);
            expect(bits(read.data)).toBe(bits(data));
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test('the bytes of a small file, by the public description of the format', () => {
    const bytes = encodeSafetensors(
      {
        b: { dtype: 'f16', shape: [1], data: Uint16Array.of(0x3c00) },
        c: { dtype: 'f32', shape: [], data: Float32Array.of(1) },
        a: { dtype: 'f32', shape: [0], data: new Float32Array(0) },
      },
      { z: '1', format: 'pt' },
    );
    // The most aligned first, then by name; metadata first; spaces up to a multiple of 8.
    const json =
      '{"__metadata__":{"format":"pt","z":"1"},"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},' +
      '"c":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"b":{"dtype":"F16","shape":[1],"data_offsets":[4,6]}}';
    const length = 200;
    expect(json.length).toBeGreaterThan(length - 8);
    expect(bytes).toEqual(
      Uint8Array.from([
        ...[length, 0, 0, 0, 0, 0, 0, 0],
        ...new TextEncoder().encode(json.padEnd(length)),
        ...[0, 0, 0x80, 0x3f],
        ...[0x00, 0x3c],
      ]),
    );
  });

  test('does not depend on the order of the tensors; every tensor is aligned', async () => {
    const tensors = DTYPE_NAMES.map(
      (dtype, i) => [`${9 - (i % 10)}.${dtype}`, tensor(dtype, [3, 4], i)] as const,
    );
    const bytes = encodeSafetensors(tensors, { a: '1', b: '2' });
    expect(encodeSafetensors(Object.fromEntries([...tensors].reverse()), { b: '2', a: '1' })).toEqual(bytes);
    for (const { dtype, offset } of (await openCheckpoint(bytes)).tensors.values()) {
      expect(offset % DTYPES[dtype].array.BYTES_PER_ELEMENT).toBe(0);
    }
  });

  test('names are sorted as UTF-8', async () => {
    const one = { dtype: 'u8', shape: [1], data: Uint8Array.of(1) } as const;
    const names = ['', 'a', 'aa', 'b', 'é', '\uffff', '😀'];
    const file = encodeSafetensors(new Map([...names].reverse().map((name) => [name, one])));
    expect([...(await openCheckpoint(file)).tensors.keys()]).toEqual(names);
    const asUtf8 = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect(names).toEqual(asUtf8);
  });

  test('data may be a part of a larger buffer', async () => {
    const data = Float32Array.of(0, 1, 2, 3).subarray(1, 3);
    const { read } = await openCheckpoint(encodeSafetensors({ a: { dtype: 'f32', shape: [2], data } }));
    expect((await read('a')).data).toEqual(Float32Array.of(1, 2));
  });

  const of = (input: unknown, metadata?: unknown) =>
    Promise.resolve().then(() =>
      encodeSafetensors(input as Record<string, TensorInput>, metadata as Record<string, string>),
    );
  const data = Float32Array.of(1, 2);
  test.each<[string, unknown, unknown, string, RegExp]>([
    [
      'an unknown dtype',
      { a: { dtype: 'f23', shape: [2], data } },
      {},
      'DTYPE',
      /tensor "a": "f23" is none of bool/,
    ],
    [
      'the wrong array',
      { a: { dtype: 'f64', shape: [2], data } },
      {},
      'DTYPE',
      /written from a Float64Array, not a Float32Array/,
    ],
    ['no data', { a: { dtype: 'f32', shape: [2] } }, {}, 'DTYPE', /not a undefined/],
    [
      'too little data',
      { a: { dtype: 'f32', shape: [3], data } },
      {},
      'SHAPE',
      /takes 12 bytes of f32, its data has 8/,
    ],
    [
      'a negative dimension',
      { a: { dtype: 'f32', shape: [-2], data } },
      {},
      'SHAPE',
      /f32 of shape \[-2\] has no size/,
    ],
    [
      'a shape over 2^53',
      { a: { dtype: 'f32', shape: [2 ** 30, 2 ** 30], data } },
      {},
      'SHAPE',
      /no size in whole bytes/,
    ],
    [
      'half a byte',
      { a: { dtype: 'f4', shape: [1], data: Uint8Array.of(1) } },
      {},
      'SHAPE',
      /no size in whole bytes/,
    ],
    [
      'the reserved name',
      { __metadata__: { dtype: 'f32', shape: [2], data } },
      {},
      'INVALID_ARGUMENT',
      /reserved/,
    ],
    [
      'half a surrogate',
      { '\ud800': { dtype: 'f32', shape: [2], data } },
      {},
      'INVALID_ARGUMENT',
      /half a surrogate pair/,
    ],
    [
      'a name twice',
      [
        ['a', { dtype: 'f32', shape: [2], data }],
        ['a', { dtype: 'f32', shape: [2], data }],
      ],
      {},
      'INVALID_ARGUMENT',
      /occurs twice/,
    ],
    [
      'metadata that is no text',
      {},
      { step: 1 },
      'INVALID_ARGUMENT',
      /metadata "step": 1 is not well-formed text/,
    ],
  ])('refuses %s', async (_, input, metadata, code, message) => {
    await expectError(of(input, metadata), code, message);
  });
});
