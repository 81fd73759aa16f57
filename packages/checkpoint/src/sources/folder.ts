import { MambaError, throwIfAborted } from '@mamba-ts/backend';
import { nodeModules } from '../node.js';
import { allocate, checkPath, checkRange, missing, PIECE_BYTES, type Source } from '../source.js';

function isMissing(cause: unknown): boolean {
  const { code } = cause as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/** Node's error of a failed call, as ours. */
export function ioError(where: string, cause: unknown): MambaError {
  if (isMissing(cause)) return missing(where, { path: where });
  return new MambaError('IO', `${where}: ${cause instanceof Error ? cause.message : String(cause)}`, {
    cause,
    details: { path: where },
  });
}

/**
 * A folder of this machine (Node only).
 *
 * @param entry the file in it that the caller means
 * @throws MambaError `INVALID_ARGUMENT` in a browser
 */
export function folderSource(folder: string, entry?: string): Source {
  const { fs, path: paths } = nodeModules();

  const at = (path: string) => {
    checkPath(path, folder);
    return paths.join(folder, path);
  };
  async function sizeOf(path: string): Promise<number> {
    const where = at(path);
    const stat = await fs.stat(where).catch((cause) => {
      throw ioError(where, cause);
    });
    if (!stat.isFile()) throw new MambaError('IO', `${where}: not a file`, { details: { path: where } });
    return stat.size;
  }

  return {
    name: folder,
    ...(entry !== undefined && { entry }),
    async size(path, signal) {
      throwIfAborted(signal, `reading ${at(path)}`);
      return sizeOf(path);
    },
    async has(path, signal) {
      const where = at(path);
      throwIfAborted(signal, `reading ${where}`);
      try {
        return (await fs.stat(where)).isFile();
      } catch (cause) {
        if (isMissing(cause)) return false;
        throw ioError(where, cause);
      }
    },
    async list(signal) {
      throwIfAborted(signal, `listing ${folder}`);
      const entries = await fs.readdir(folder, { withFileTypes: true }).catch((cause) => {
        throw ioError(folder, cause);
      });
      return entries.filter((item) => !item.isDirectory()).map(({ name }) => name);
    },
    async read(path, range, signal, onBytes) {
      const where = at(path);
      throwIfAborted(signal, `reading ${where}`);
      const { start, end } = checkRange(where, await sizeOf(path), range);
      const bytes = allocate(end - start, where);
      const handle = await fs.open(where).catch((cause) => {
        throw ioError(where, cause);
      });
      try {
        for (let done = 0; done < bytes.length; ) {
          throwIfAborted(signal, `reading ${where}`);
          const wanted = Math.min(PIECE_BYTES, bytes.length - done);
          const { bytesRead } = await handle.read(bytes, done, wanted, start + done).catch((cause) => {
            throw ioError(where, cause);
          });
          // It shrank after its size was read.
          if (bytesRead === 0) checkRange(where, start + done, { start, end });
          done += bytesRead;
          onBytes?.(bytesRead);
        }
        throwIfAborted(signal, `reading ${where}`);
        return bytes;
      } finally {
        await handle.close();
      }
    },
  };
}
