import { MambaError } from '@mamba-ts/backend';
import {
  bytesOf,
  type CheckpointData,
  type CheckpointDType,
  DTYPE_NAMES,
  DTYPES,
  elementsOf,
} from './dtype.js';
import { MAX_HEADER_BYTES } from './header.js';
import { quote } from './json.js';
import { allocate } from './source.js';

/** A tensor to write. `data` is the typed array of the dtype (`CheckpointDType` says which), row-major. */
export interface TensorInput {
  readonly dtype: CheckpointDType;
  readonly shape: readonly number[];
  readonly data: CheckpointData;
}

/** A tensor whose data is asked for when its turn to be written comes, and can be forgotten afterwards. */
export interface LazyTensorInput {
  readonly dtype: CheckpointDType;
  readonly shape: readonly number[];
  data(): CheckpointData | Promise<CheckpointData>;
}

/** Tensors by name. */
export type Tensors<T> = Readonly<Record<string, T>> | Iterable<readonly [string, T]>;

export interface LaidOut<T> {
  readonly name: string;
  readonly tensor: T;
  readonly bytes: number;
}

/** Everything of a file but the tensors' data. */
export interface Layout<T> {
  /** The 8 bytes of its length, and the header. */
  readonly header: Uint8Array;
  /** In the order of their data. */
  readonly tensors: readonly LaidOut<T>[];
  /** Bytes of the whole file. */
  readonly bytes: number;
}

/** By code point, as UTF-8 sorts; `<` would sort by UTF-16 unit. */
function byName(a: string, b: string): number {
  const as = [...a];
  const bs = [...b];
  for (let i = 0; i < as.length && i < bs.length; i++) {
    const difference = (as[i].codePointAt(0) as number) - (bs[i].codePointAt(0) as number);
    if (difference !== 0) return difference;
  }
  return as.length - bs.length;
}

function badName(name: string, reason: string): MambaError {
  return new MambaError('INVALID_ARGUMENT', `tensor ${quote(name)}: the name ${reason}`);
}

/**
 * The tensors in the order of the official library: the most aligned dtypes first, so that every tensor is aligned,
 * then by name. The same tensors always give the same file.
 */
export function sorted<T extends { dtype: CheckpointDType; shape: readonly number[] }>(
  tensors: Tensors<T>,
): LaidOut<T>[] {
  const entries =
    Symbol.iterator in tensors ? [...(tensors as Iterable<readonly [string, T]>)] : Object.entries(tensors);
  const names = new Set<string>();
  const list = entries.map(([name, tensor]) => {
    if (names.has(name)) throw badName(name, 'occurs twice');
    names.add(name);
    if (name === '__metadata__') throw badName(name, 'is reserved for the metadata');
    if (/\p{Surrogate}/u.test(name)) throw badName(name, 'has half a surrogate pair');
    const { dtype, shape } = tensor;
    if (!Object.hasOwn(DTYPES, dtype)) {
      throw new MambaError(
        'DTYPE',
        `tensor ${quote(name)}: ${quote(dtype)} is none of ${DTYPE_NAMES.join(', ')}`,
      );
    }
    const elements = shape.every((n) => Number.isSafeInteger(n) && n >= 0) ? elementsOf(shape) : undefined;
    const bytes = elements === undefined ? undefined : bytesOf(dtype, elements);
    if (bytes === undefined) {
      throw new MambaError(
        'SHAPE',
        `tensor ${quote(name)}: ${dtype} of shape ${quote(shape)} has no size in whole bytes`,
      );
    }
    return { name, tensor, bytes };
  });
  const rank = (item: LaidOut<T>) => DTYPE_NAMES.indexOf(item.tensor.dtype);
  return list.sort((a, b) => rank(b) - rank(a) || byName(a.name, b.name));
}

/** Lays a file out: `tensors` as `sorted` gives them. */
export function layOut<T extends { dtype: CheckpointDType; shape: readonly number[] }>(
  tensors: readonly LaidOut<T>[],
  metadata: Readonly<Record<string, string>>,
): Layout<T> {
  const fields: string[] = [];
  const keys = Object.keys(metadata).sort(byName);
  for (const key of keys) {
    if (typeof metadata[key] !== 'string' || /\p{Surrogate}/u.test(key + metadata[key])) {
      throw new MambaError(
        'INVALID_ARGUMENT',
        `metadata ${quote(key)}: ${quote(metadata[key])} is not well-formed text`,
      );
    }
  }
  if (keys.length > 0) {
    const pairs = keys.map((key) => `${JSON.stringify(key)}:${JSON.stringify(metadata[key])}`);
    fields.push(`"__metadata__":{${pairs.join(',')}}`);
  }
  let end = 0;
  for (const { name, tensor, bytes } of tensors) {
    const { dtype, shape } = tensor;
    const entry = { dtype: dtype.toUpperCase(), shape, data_offsets: [end, end + bytes] };
    fields.push(`${JSON.stringify(name)}:${JSON.stringify(entry)}`);
    end += bytes;
  }
  const json = new TextEncoder().encode(`{${fields.join(',')}}`);
  const length = Math.ceil(json.length / 8) * 8;
  if (length > MAX_HEADER_BYTES || !Number.isSafeInteger(8 + length + end)) {
    throw new MambaError(
      'INVALID_ARGUMENT',
      `${tensors.length} tensors make a header of ${length} bytes and ${end} bytes of data; the format ends at ${MAX_HEADER_BYTES} and 2^53`,
    );
  }
  const header = new Uint8Array(8 + length).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true);
  header.set(json, 8);
  return { header, tensors, bytes: header.length + end };
}

/** A tensor's data as bytes, checked against its dtype and shape. */
export function bytesOfData(
  { name, tensor, bytes }: LaidOut<{ dtype: CheckpointDType }>,
  data: CheckpointData,
): Uint8Array {
  const { array } = DTYPES[tensor.dtype];
  if (!(data instanceof array)) {
    const given = (data as object | undefined)?.constructor?.name;
    throw new MambaError(
      'DTYPE',
      `tensor ${quote(name)}: ${tensor.dtype} is written from a ${array.name}, not a ${given}`,
    );
  }
  if (data.byteLength !== bytes) {
    throw new MambaError(
      'SHAPE',
      `tensor ${quote(name)}: its shape takes ${bytes} bytes of ${tensor.dtype}, its data has ${data.byteLength}`,
    );
  }
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/**
 * A safetensors file in memory. The same tensors and metadata always give the same bytes, which are those of the
 * official library.
 *
 * @throws MambaError `DTYPE`, `SHAPE` where data does not fit; `INVALID_ARGUMENT` for names that a file cannot hold
 */
export function encodeSafetensors(
  tensors: Tensors<TensorInput>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const layout = layOut(sorted(tensors), metadata);
  const file = allocate(layout.bytes, 'a safetensors file in memory');
  file.set(layout.header);
  let at = layout.header.length;
  for (const item of layout.tensors) {
    file.set(bytesOfData(item, item.tensor.data), at);
    at += item.bytes;
  }
  return file;
}
