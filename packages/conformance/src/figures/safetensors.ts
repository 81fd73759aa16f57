import type { HostTensor } from '../host.js';

/*
 * The container of the fixtures. It reads what `scripts/convert-fixtures.ts` writes and trusts it; a reader that may be
 * given anything is in @mamba-ts/checkpoint, which this package must not need.
 */

/** A file's tensors in its order, and its `__metadata__`. */
export interface SafetensorsFile {
  readonly tensors: ReadonlyMap<string, HostTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

const ARRAYS = { F64: Float64Array, F32: Float32Array, I32: Int32Array, I64: BigInt64Array } as const;
const DTYPES = { F64: 'f64', F32: 'f32', I32: 'i32', I64: 'i32' } as const;

interface HeaderEntry {
  dtype: keyof typeof ARRAYS;
  shape: number[];
  data_offsets: [number, number];
}

/** I64 (token ids) becomes i32. Throws `Error` on another element type. */
export function readSafetensors(bytes: Uint8Array): SafetensorsFile {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  const { __metadata__: metadata = {}, ...entries } = header;
  const tensors = new Map<string, HostTensor>();
  for (const [name, entry] of Object.entries(entries as Record<string, HeaderEntry>)) {
    const { dtype, shape, data_offsets } = entry;
    if (!(dtype in ARRAYS)) throw new Error(`fixture tensor ${name}: no reader for element type ${dtype}`);
    // A copy starts at an aligned address whatever the offset in the file (`slice` of a Node Buffer would be no copy).
    const raw = new Uint8Array(bytes.subarray(8 + length + data_offsets[0], 8 + length + data_offsets[1]));
    const values = new ARRAYS[dtype](raw.buffer);
    const data = values instanceof BigInt64Array ? Int32Array.from(values, Number) : values;
    tensors.set(name, { shape, dtype: DTYPES[dtype], data });
  }
  return { tensors, metadata };
}

const WRITTEN = { f64: 'F64', f32: 'F32', i32: 'I32' } as const;

/** The reverse, for the conversion script and the tests. */
export function writeSafetensors({ tensors, metadata }: SafetensorsFile): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  for (const [name, { dtype, shape, data }] of tensors) {
    header[name] = { dtype: WRITTEN[dtype], shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  let json = JSON.stringify(header);
  json += ' '.repeat((8 - (json.length % 8)) % 8);
  const bytes = new Uint8Array(8 + json.length + offset);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(new TextEncoder().encode(json), 8);
  let at = 8 + json.length;
  for (const { data } of tensors.values()) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}
