import type { MambaError } from '@mamba-ts/backend';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32 } from './crc32.js';
import { decodeState, encodeState, type SavedState } from './format.js';

const saved: SavedState = {
  model: '0123456789abcdef',
  position: 12345678901,
  batch: 2,
  arrays: [Float32Array.of(1, -2.5, Number.NaN, Number.POSITIVE_INFINITY), Float32Array.of(1e-40)],
};

/** The error's `details.reason`. */
function refusal(bytes: Uint8Array): unknown {
  try {
    decodeState(bytes);
  } catch (error) {
    expect(error).toMatchObject({ code: 'CHECKPOINT_FORMAT' });
    return (error as MambaError).details['reason'];
  }
  return 'none';
}

/** A state of this version with any header, and a checksum that fits. */
function forge(header: unknown, payload = 0): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(24 + text.length + payload + 4);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode('mamba-st'));
  view.setUint32(8, 1, true);
  view.setUint32(12, text.length, true);
  view.setBigUint64(16, BigInt(bytes.length), true);
  bytes.set(text, 24);
  view.setUint32(bytes.length - 4, crc32(bytes.subarray(0, -4)), true);
  return bytes;
}

describe('crc32', () => {
  it('is that of zip: the check value of its definition', () => {
    expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
    expect(crc32(new Uint8Array())).toBe(0);
  });
});

describe('a saved state', () => {
  it('gives everything back, bit by bit', () => {
    expect(decodeState(encodeState(saved))).toEqual(saved);
    const wide = { ...saved, arrays: [Float64Array.of(Math.PI, 5e-324)] };
    expect(decodeState(encodeState(wide))).toEqual(wide);
  });

  it('is read at any offset of its buffer', () => {
    const bytes = encodeState(saved);
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    expect(decodeState(shifted.subarray(3))).toEqual(saved);
  });

  it('is refused when truncated, at any length, or too long', () => {
    const bytes = encodeState(saved);
    for (let length = 0; length < bytes.length; length++) {
      expect(refusal(bytes.subarray(0, length))).toBe('truncated');
    }
    expect(refusal(Uint8Array.from([...bytes, 0]))).toBe('truncated');
  });

  it('is refused when any bit is flipped', () => {
    const bytes = encodeState(saved);
    fc.assert(
      fc.property(fc.nat({ max: bytes.length - 1 }), fc.nat({ max: 7 }), (at, bit) => {
        const broken = bytes.slice();
        broken[at]! ^= 1 << bit;
        expect(['magic', 'version', 'truncated', 'checksum']).toContain(refusal(broken));
      }),
      { numRuns: 300 },
    );
  });

  it('is refused when it is something else or of another version', () => {
    expect(refusal(new TextEncoder().encode('not a state at all, but long enough'))).toBe('magic');
    const future = encodeState(saved);
    new DataView(future.buffer).setUint32(8, 2, true);
    expect(refusal(future)).toBe('version');
    expect(() => decodeState(future)).toThrow(/version 2.*reads 1/);
  });

  const good = { model: 'x', position: 0, batch: 1, dtype: 'f32', lengths: [2] };
  it.each<[string, unknown, number]>([
    ['no JSON', '{', 0],
    ['null', 'null', 0],
    ['no model', { ...good, model: 7 }, 8],
    ['a negative position', { ...good, position: -1 }, 8],
    ['a batch that is no number', { ...good, batch: '1' }, 8],
    ['an unknown type', { ...good, dtype: 'f16' }, 8],
    ['no lengths', { ...good, lengths: 3 }, 8],
    ['huge lengths', { ...good, lengths: [2 ** 52, 2] }, 8],
    ['lengths that do not fill the payload', { ...good, lengths: [1] }, 8],
    ['fractional lengths', { ...good, lengths: [1.5, 0.5] }, 8],
  ])('is refused with a header that has %s, before anything is allocated', (_, header, payload) => {
    expect(refusal(forge(header, payload))).toBe('header');
  });

  it('with a header of its own making is read', () => {
    expect(decodeState(forge(good, 8)).arrays).toEqual([Float32Array.of(0, 0)]);
  });

  it('is refused with a header longer than itself', () => {
    const bytes = forge(good, 8);
    const view = new DataView(bytes.buffer);
    view.setUint32(12, 2 ** 31, true);
    view.setUint32(bytes.length - 4, crc32(bytes.subarray(0, -4)), true);
    expect(refusal(bytes)).toBe('header');
  });
});
