import { MambaError, throwIfAborted } from '@mamba-ts/backend';
import { checkPath, checkRange, missing, type Source } from '../source.js';

/** Files as bytes or text, by path. */
export type FileRecord = Readonly<Record<string, Uint8Array | ArrayBuffer | string>>;

/**
 * Files in memory. Reads are views of the bytes, not copies.
 *
 * @throws MambaError `INVALID_ARGUMENT` where a value is neither bytes nor text
 */
export function memorySource(files: FileRecord): Source {
  const byPath = new Map<string, Uint8Array>();
  for (const [path, content] of Object.entries(files)) {
    if (typeof content === 'string') byPath.set(path, new TextEncoder().encode(content));
    else if (content instanceof Uint8Array) byPath.set(path, content);
    else if (content instanceof ArrayBuffer) byPath.set(path, new Uint8Array(content));
    else {
      throw new MambaError(
        'INVALID_ARGUMENT',
        `${path}: a file in memory is a Uint8Array, an ArrayBuffer or a string`,
      );
    }
  }
  const find = (path: string, signal?: AbortSignal): Uint8Array => {
    checkPath(path, 'memory');
    throwIfAborted(signal, `reading ${path}`);
    const bytes = byPath.get(path);
    if (!bytes) throw missing(path, { path });
    return bytes;
  };

  return {
    name: 'memory',
    size: async (path, signal) => find(path, signal).length,
    async has(path, signal) {
      throwIfAborted(signal, `reading ${path}`);
      return byPath.has(path);
    },
    list: async () => [...byPath.keys()],
    async read(path, range, signal, onBytes) {
      const bytes = find(path, signal);
      const { start, end } = checkRange(path, bytes.length, range);
      if (end > start) onBytes?.(end - start);
      return bytes.subarray(start, end);
    },
  };
}
