import { MambaError } from '@mamba-ts/backend';
import { formatError } from './header.js';

/** Bytes `start` to `end`, `end` not included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Named files to read from: a folder, files that a user picked, a web address, memory. Paths are relative, with `/`.
 * Every method rejects with `ABORTED` soon after its signal fires (within one read of at most 1 MiB), with `IO` where
 * the file is missing or unreachable.
 */
export interface Source {
  /** What this is, for messages. */
  readonly name: string;
  /** The file of weights, or its index, that the caller pointed at; without it the usual names are tried. */
  readonly entry?: string;
  /**
   * The file's bytes, or a range of them. They may be the source's own memory: do not write into them.
   *
   * @param onBytes called with the number of bytes that came since the last call
   * @throws MambaError `CHECKPOINT_FORMAT` where the file ends before the range does
   */
  read(
    path: string,
    range?: ByteRange,
    signal?: AbortSignal,
    onBytes?: (count: number) => void,
  ): Promise<Uint8Array>;
  /** Size in bytes. */
  size(path: string, signal?: AbortSignal): Promise<number>;
  has(path: string, signal?: AbortSignal): Promise<boolean>;
  /** The paths, where the source knows them (an address does not). */
  list?(signal?: AbortSignal): Promise<string[]>;
}

/** Reads are cut into pieces of this size, so that an abort is seen soon. */
export const PIECE_BYTES = 1 << 20;

/** Why a path must not be followed; undefined where it may. */
export function unsafePath(path: string): string | undefined {
  if (path === '') return 'is empty';
  if (/[\\\0]/.test(path)) return 'has a backslash or a null character';
  if (path.startsWith('/') || /^[A-Za-z][A-Za-z0-9+.-]*:/.test(path)) return 'is absolute';
  if (path.split('/').some((part) => part === '' || part === '.' || part === '..')) {
    return 'has an empty, "." or ".." part';
  }
  return undefined;
}

/** Refuses a path that leads out of the source. */
export function checkPath(path: string, source: string): void {
  const reason = unsafePath(path);
  if (reason !== undefined) {
    throw new MambaError(
      'INVALID_ARGUMENT',
      `${source}: the path ${JSON.stringify(path)} ${reason}; give one inside it`,
    );
  }
}

/** The range, checked against the file's size. */
export function checkRange(
  where: string,
  size: number,
  range: ByteRange = { start: 0, end: size },
): ByteRange {
  const { start, end } = range;
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start) {
    throw new MambaError('INVALID_ARGUMENT', `${where}: [${start}, ${end}) is not a range of bytes`);
  }
  if (end > size) {
    throw formatError(where, `ends at byte ${size}, but bytes ${start} to ${end} are needed: truncated?`, {
      offset: size,
    });
  }
  return range;
}

/** Memory for bytes that were found to exist. */
export function allocate(bytes: number, where: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(bytes);
  } catch (cause) {
    throw new MambaError(
      'OUT_OF_MEMORY',
      `${where}: ${bytes} bytes in one piece are more than this engine gives`,
      {
        cause,
        details: { bytes },
      },
    );
  }
}

export function missing(where: string, details: Record<string, unknown> = {}): MambaError {
  return new MambaError('IO', `${where}: no such file`, { details });
}
