import { MambaError } from '@mamba-ts/backend';
import { bytesOf, type CheckpointDType, DTYPE_NAMES, dtypeOfFile, elementsOf } from './dtype.js';
import { byteOffset, decodeUtf8, isObject, parseJson, quote } from './json.js';

/** The official library's limit, in bytes. */
export const MAX_HEADER_BYTES = 100_000_000;

/** What a checkpoint says of a tensor. */
export interface TensorInfo {
  readonly dtype: CheckpointDType;
  /** The empty shape is a scalar. */
  readonly shape: readonly number[];
  /** Bytes of its data. */
  readonly bytes: number;
  /** The file it is in. */
  readonly file: string;
  /** Where its data begins in that file, in bytes. */
  readonly offset: number;
}

export interface Header {
  /** In the order of their data. */
  readonly tensors: Map<string, TensorInfo>;
  readonly metadata: Record<string, string>;
}

/** A malformed file: always says which, and what is wrong there. */
export function formatError(
  file: string,
  problem: string,
  details: Record<string, unknown> = {},
): MambaError {
  return new MambaError('CHECKPOINT_FORMAT', `${file}: ${problem}`, { details: { file, ...details } });
}

/**
 * The length of the header, out of the first 8 bytes of a file.
 *
 * @throws MambaError `CHECKPOINT_FORMAT` where the file cannot hold it
 */
export function headerLength(prefix: Uint8Array, file: string, fileBytes: number): number {
  if (fileBytes < 8)
    throw formatError(file, `${fileBytes} bytes; a safetensors file has at least 8`, { offset: 0 });
  const length = new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true);
  if (length > MAX_HEADER_BYTES) {
    throw formatError(
      file,
      `the first 8 bytes give the header ${length} bytes; the limit is ${MAX_HEADER_BYTES}. Not a safetensors file?`,
      { offset: 0 },
    );
  }
  if (Number(length) > fileBytes - 8) {
    throw formatError(
      file,
      `the header would take ${length} bytes, but the file ends at ${fileBytes}: truncated?`,
      {
        offset: 0,
      },
    );
  }
  return Number(length);
}

/** 1.0, 1e0 and -0 are no lengths: they must not turn into 1 and 0. */
function plainNumber(digits: string): number {
  const value = Number(digits);
  return Number.isInteger(value) && !/^(0|-?[1-9][0-9]*)$/.test(digits) ? Number.NaN : value;
}

function isLength(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/**
 * Parses and checks a header: every name once, every offset inside the data, the data covered without overlap or hole,
 * every shape as large as its bytes.
 *
 * @param bytes the header, without the 8 bytes before it
 * @param file for messages and for `TensorInfo.file`
 * @param fileBytes size of the whole file
 * @throws MambaError `CHECKPOINT_FORMAT`; `details` has file, and tensor or offset
 */
export function parseHeader(bytes: Uint8Array, file: string, fileBytes: number): Header {
  const text = decodeUtf8(bytes);
  if (text === undefined) throw formatError(file, 'the header is not UTF-8', { offset: 8 });
  const fail = (problem: string, index: number): never => {
    const offset = 8 + byteOffset(text, index);
    throw formatError(file, `the header has ${problem} at byte ${offset} of the file`, { offset });
  };
  if (text[0] !== '{') fail(`${text === '' ? 'an end' : quote(text[0])} where { should be`, 0);
  const root = parseJson(text, {
    fail,
    maxDepth: 8,
    // A tensor's entry has seven, and at least 48 characters.
    maxNodes: Math.min(2e6, 16 + Math.floor(text.length / 6)),
    number: plainNumber,
  });

  const dataStart = 8 + bytes.length;
  const metadata: Record<string, string> = Object.create(null);
  const list: { name: string; start: number; info: TensorInfo }[] = [];
  for (const [name, entry] of Object.entries(root as Record<string, unknown>)) {
    if (name === '__metadata__') readMetadata(entry, metadata, file);
    else {
      const { start, info } = readEntry(name, entry, file, dataStart, fileBytes);
      list.push({ name, start, info });
    }
  }

  list.sort((a, b) => a.start - b.start || a.info.bytes - b.info.bytes);
  let end = 0;
  for (const [i, { name, start, info }] of list.entries()) {
    if (start !== end) {
      const before = i === 0 ? 'the data begins' : `${quote(list[i - 1].name)} ends`;
      throw formatError(
        file,
        start < end
          ? `tensor ${quote(name)} begins at ${start} of the data, inside ${quote(list[i - 1].name)}, which ends at ${end}: overlap`
          : `tensor ${quote(name)} begins at ${start} of the data, but ${before} at ${end}: a hole`,
        { tensor: name, offset: dataStart + start },
      );
    }
    end = start + info.bytes;
  }
  if (dataStart + end !== fileBytes) {
    throw formatError(
      file,
      `the tensors end at byte ${dataStart + end}, the file at ${fileBytes}: ${fileBytes - dataStart - end} bytes belong to none`,
      { offset: dataStart + end },
    );
  }
  return { tensors: new Map(list.map(({ name, info }) => [name, info])), metadata };
}

function readMetadata(entry: unknown, into: Record<string, string>, file: string): void {
  if (!isObject(entry))
    throw formatError(file, '__metadata__ is not an object of strings', { tensor: '__metadata__' });
  for (const [key, value] of Object.entries(entry)) {
    if (typeof value !== 'string') {
      throw formatError(file, `__metadata__[${quote(key)}] is ${quote(value)}, not a string`, {
        tensor: '__metadata__',
      });
    }
    into[key] = value;
  }
}

function readEntry(
  name: string,
  entry: unknown,
  file: string,
  dataStart: number,
  fileBytes: number,
): { start: number; info: TensorInfo } {
  const bad = (problem: string, offset?: number) =>
    formatError(file, `tensor ${quote(name)}: ${problem}`, {
      tensor: name,
      ...(offset !== undefined && { offset }),
    });

  if (/\p{Surrogate}/u.test(name)) throw bad('its name has half a surrogate pair');
  if (!isObject(entry)) throw bad(`${quote(entry)} where { dtype, shape, data_offsets } should be`);
  const dtype = dtypeOfFile(entry.dtype);
  if (dtype === undefined) {
    const known = DTYPE_NAMES.map((known) => known.toUpperCase()).join(', ');
    throw bad(`dtype ${quote(entry.dtype)} is none of ${known}`);
  }
  const { shape, data_offsets: offsets } = entry;
  if (!Array.isArray(shape)) throw bad(`shape ${quote(shape)} is not an array`);
  for (const [axis, n] of shape.entries()) {
    if (!isLength(n))
      throw bad(`shape[${axis}] is ${quote(n)}, not a whole number from 0 to 2^53-1, written in digits`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isLength)) {
    throw bad(`data_offsets ${quote(offsets)} are not two whole numbers from 0 to 2^53-1, written in digits`);
  }
  const [start, end] = offsets as [number, number];
  if (end < start) throw bad(`data_offsets [${start}, ${end}] run backwards`, dataStart + start);
  if (end > fileBytes - dataStart) {
    throw bad(
      `its data ends at ${end}, but the file has ${fileBytes - dataStart} bytes of data: truncated?`,
      dataStart + start,
    );
  }
  const elements = elementsOf(shape);
  const bytes = elements === undefined ? undefined : bytesOf(dtype, elements);
  if (bytes === undefined) {
    throw bad(`shape ${quote(shape)} of ${dtype} takes more than 2^53 bytes, or a fraction of a byte`);
  }
  if (bytes !== end - start) {
    throw bad(
      `shape ${quote(shape)} of ${dtype} takes ${bytes} bytes, but data_offsets [${start}, ${end}] span ${end - start}`,
      dataStart + start,
    );
  }
  return { start, info: { dtype, shape, bytes, file, offset: dataStart + start } };
}
