import { MambaError } from '@mamba-ts/backend';
import { crc32 } from './crc32.js';

/*
 * A saved state:
 *
 *   0   8 bytes  "mamba-st"
 *   8   u32      version, 1
 *   12  u32      length of the header
 *   16  u64      length of all
 *   24           header: JSON { model, position, batch, dtype, lengths }, padded with spaces so that the payload is aligned
 *                payload: the arrays, one after the other
 *   end - 4      u32 CRC-32 of all before
 *
 * Little-endian throughout.
 */

const MAGIC = 'mamba-st';
const VERSION = 1;
const PREFIX = 24;
const MAX_HEADER = 1 << 20;

export interface SavedState {
  /** Fingerprint of the model that it belongs to. */
  readonly model: string;
  readonly position: number;
  readonly batch: number;
  /** All of one type: Float32Array, or Float64Array. */
  readonly arrays: readonly (Float32Array | Float64Array)[];
}

export function encodeState({ model, position, batch, arrays }: SavedState): Uint8Array {
  const wide = arrays[0] instanceof Float64Array;
  const width = wide ? 8 : 4;
  const lengths = arrays.map((array) => array.length);
  const json = JSON.stringify({ model, position, batch, dtype: wide ? 'f64' : 'f32', lengths });
  const header = new TextEncoder().encode(json.padEnd(Math.ceil((PREFIX + json.length) / 8) * 8 - PREFIX));
  const payload = PREFIX + header.length;
  const total = payload + lengths.reduce((sum, length) => sum + length, 0) * width + 4;
  const bytes = new Uint8Array(total);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode(MAGIC));
  view.setUint32(8, VERSION, true);
  view.setUint32(12, header.length, true);
  view.setBigUint64(16, BigInt(total), true);
  bytes.set(header, PREFIX);
  let offset = payload;
  for (const array of arrays) {
    for (let i = 0; i < array.length; i++, offset += width) {
      if (wide) view.setFloat64(offset, array[i]!, true);
      else view.setFloat32(offset, array[i]!, true);
    }
  }
  view.setUint32(total - 4, crc32(bytes.subarray(0, total - 4)), true);
  return bytes;
}

/**
 * Reads what `encodeState` wrote. Trusts nothing: allocates no more than the bytes hold.
 * @throws MambaError `CHECKPOINT_FORMAT`; `details.reason` is `magic`, `version`, `truncated`, `checksum` or `header`
 */
export function decodeState(bytes: Uint8Array): SavedState {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = new TextDecoder('latin1').decode(bytes.subarray(0, MAGIC.length));
  if (magic !== MAGIC.slice(0, magic.length)) {
    throw bad('magic', 'these bytes do not begin as a saved state does; give what state.save() returned');
  }
  if (bytes.length < PREFIX + 4) {
    throw bad('truncated', `the saved state ends after ${bytes.length} bytes, inside its prefix`);
  }
  const version = view.getUint32(8, true);
  if (version !== VERSION) {
    throw bad(
      'version',
      `the saved state has format version ${version}, this library reads ${VERSION}; save it again with this version`,
    );
  }
  const total = view.getBigUint64(16, true);
  if (total !== BigInt(bytes.length)) {
    throw bad('truncated', `the saved state should have ${total} bytes, but ${bytes.length} are there`);
  }
  const headerLength = view.getUint32(12, true);
  const checksum = crc32(bytes.subarray(0, bytes.length - 4));
  if (checksum !== view.getUint32(bytes.length - 4, true)) {
    throw bad('checksum', 'the saved state is corrupted: its checksum does not match');
  }
  const payload = PREFIX + headerLength;
  if (headerLength > MAX_HEADER || payload > bytes.length - 4) {
    throw bad('header', `the saved state's header claims ${headerLength} bytes`);
  }
  const header = readHeader(new TextDecoder().decode(bytes.subarray(PREFIX, payload)));
  const width = header.dtype === 'f64' ? 8 : 4;
  const elements = header.lengths.reduce((sum, length) => sum + length, 0);
  if (payload + elements * width + 4 !== bytes.length) {
    throw bad('header', `the saved state's header lists ${elements} numbers, which do not fill the payload`);
  }
  let offset = payload;
  const arrays = header.lengths.map((length) => {
    const array = header.dtype === 'f64' ? new Float64Array(length) : new Float32Array(length);
    for (let i = 0; i < length; i++, offset += width) {
      array[i] = header.dtype === 'f64' ? view.getFloat64(offset, true) : view.getFloat32(offset, true);
    }
    return array;
  });
  return { model: header.model, position: header.position, batch: header.batch, arrays };
}

interface Header {
  model: string;
  position: number;
  batch: number;
  dtype: 'f32' | 'f64';
  lengths: number[];
}

function readHeader(text: string): Header {
  let header: Partial<Header> | null;
  try {
    header = JSON.parse(text) as Partial<Header> | null;
  } catch (cause) {
    throw bad('header', "the saved state's header is not JSON", cause);
  }
  const natural = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
  const good =
    typeof header === 'object' &&
    header !== null &&
    typeof header.model === 'string' &&
    natural(header.position) &&
    natural(header.batch) &&
    (header.dtype === 'f32' || header.dtype === 'f64') &&
    Array.isArray(header.lengths) &&
    header.lengths.every(natural);
  if (!good) throw bad('header', "the saved state's header lacks a field, or has one of the wrong type");
  return header as Header;
}

export function bad(reason: string, message: string, cause?: unknown): MambaError {
  return new MambaError('CHECKPOINT_FORMAT', `restoreState: ${message}`, { cause, details: { reason } });
}
