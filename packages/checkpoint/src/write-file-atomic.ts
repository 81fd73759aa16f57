import { throwIfAborted } from '@mamba-ts/backend';
import { nodeModules } from './node.js';
import { PIECE_BYTES } from './source.js';
import { ioError } from './sources/folder.js';

/** Temporary files that nobody wrote to for this long are nobody's. */
const ABANDONED_MS = 3_600_000;

/**
 * Writes a file so that whoever opens the path, at any time, also after a crash, finds the old file or the new one,
 * whole: a temporary file in the same folder, fsync, rename, fsync of the folder. A process killed in between leaves
 * only the temporary file (`.name.<pid>.<random>.tmp`), which the next write of the same path deletes.
 *
 * @param path in an existing folder (Node only)
 * @throws MambaError `IO` where the file cannot be written, `ABORTED`; the old file is untouched then
 */
export function writeFileAtomic(
  path: string,
  content: Uint8Array | string,
  signal?: AbortSignal,
): Promise<void> {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  return writePiecesAtomic(path, [bytes], signal);
}

/** The same for content that comes in pieces. What the pieces throw is thrown on. */
export async function writePiecesAtomic(
  path: string,
  pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  signal?: AbortSignal,
): Promise<void> {
  const { fs, path: paths } = nodeModules();
  const what = `writing ${path}`;
  throwIfAborted(signal, what);
  const failed = (cause: unknown): never => {
    throw ioError(path, cause);
  };
  const folder = paths.dirname(path);
  const prefix = `.${paths.basename(path)}.`;
  await removeAbandoned(folder, prefix);

  const temporary = paths.join(folder, `${prefix}${process.pid}.${randomTag()}.tmp`);
  const handle = await fs.open(temporary, 'wx').catch(failed);
  try {
    try {
      for await (const piece of pieces) {
        for (let done = 0; done < piece.length; ) {
          throwIfAborted(signal, what);
          const { bytesWritten } = await handle
            .write(piece, done, Math.min(PIECE_BYTES, piece.length - done))
            .catch(failed);
          done += bytesWritten;
        }
      }
      throwIfAborted(signal, what);
      await handle.sync().catch(failed);
    } finally {
      await handle.close();
    }
    await fs.rename(temporary, path).catch(failed);
  } catch (error) {
    await fs.rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(folder);
}

/** Eight letters and digits that no one else has. */
export function randomTag(): string {
  return Math.random().toString(36).slice(2, 10).padEnd(8, '0');
}

/** Makes a rename outlive a power cut. Windows cannot open a folder, and needs not. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const { fs } = nodeModules();
  const handle = await fs.open(folder).catch((cause) => {
    throw ioError(folder, cause);
  });
  try {
    await handle.sync().catch((cause) => {
      throw ioError(folder, cause);
    });
  } finally {
    await handle.close();
  }
}

async function removeAbandoned(folder: string, prefix: string): Promise<void> {
  const { fs, path: paths } = nodeModules();
  for (const name of await fs.readdir(folder).catch(() => [])) {
    if (!name.startsWith(prefix) || !name.endsWith('.tmp')) continue;
    const path = paths.join(folder, name);
    const pid = Number(name.slice(prefix.length).split('.')[0]);
    const stat = await fs.stat(path).catch(() => undefined);
    if (!stat || (isAlive(pid) && Date.now() - stat.mtimeMs < ABANDONED_MS)) continue;
    await fs.rm(path, { force: true }).catch(() => {});
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It exists, but is another user's.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
