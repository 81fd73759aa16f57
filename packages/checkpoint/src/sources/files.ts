import { MambaError, throwIfAborted } from '@mamba-ts/backend';
import { abortable } from '../abort.js';
import { allocate, checkPath, checkRange, missing, PIECE_BYTES, type Source } from '../source.js';

/** A picked folder's files all begin with its name: `webkitRelativePath` is "folder/model.safetensors". */
function relativePath(file: Blob): string {
  const { name, webkitRelativePath } = file as File;
  if (webkitRelativePath) return webkitRelativePath.split('/').slice(1).join('/');
  return name ?? 'model.safetensors';
}

/**
 * Files that a user picked or dropped, read piece by piece as they are needed. A lone Blob counts as
 * `model.safetensors`.
 *
 * @throws MambaError `INVALID_ARGUMENT` where two files have one name
 */
export function filesSource(files: Iterable<Blob>): Source {
  const byPath = new Map<string, Blob>();
  for (const file of files) {
    const path = relativePath(file);
    if (byPath.has(path))
      throw new MambaError('INVALID_ARGUMENT', `two files are named ${JSON.stringify(path)}`);
    byPath.set(path, file);
  }
  const name = byPath.size === 1 ? `file ${[...byPath.keys()][0]}` : `${byPath.size} files`;
  const find = (path: string, signal?: AbortSignal): Blob => {
    checkPath(path, name);
    throwIfAborted(signal, `reading ${path}`);
    const file = byPath.get(path);
    if (!file) throw missing(path, { path });
    return file;
  };

  return {
    name,
    size: async (path, signal) => find(path, signal).size,
    async has(path, signal) {
      throwIfAborted(signal, `reading ${path}`);
      return byPath.has(path);
    },
    list: async () => [...byPath.keys()],
    async read(path, range, signal, onBytes) {
      const file = find(path, signal);
      const { start, end } = checkRange(path, file.size, range);
      const bytes = allocate(end - start, path);
      for (let at = start; at < end; at += PIECE_BYTES) {
        const piece = file.slice(at, Math.min(end, at + PIECE_BYTES)).arrayBuffer();
        const read = await abortable(
          piece.catch((cause) => {
            throw new MambaError('IO', `${path}: ${cause}`, { cause, details: { path } });
          }),
          signal,
          `reading ${path}`,
        );
        bytes.set(new Uint8Array(read), at - start);
        onBytes?.(read.byteLength);
      }
      throwIfAborted(signal, `reading ${path}`);
      return bytes;
    },
  };
}
