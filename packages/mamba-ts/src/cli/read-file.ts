import { MambaError } from '@mamba-ts/backend';

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EACCES: 'reading it is not permitted',
  EISDIR: 'a folder, not a file',
  ENOTDIR: 'no such file: a part of the path is no folder',
};

/** A file that was named at the terminal. Throws `IO`, saying what is wrong with which file. */
export async function readFile(path: string): Promise<Uint8Array> {
  const fs = await import('node:fs/promises');
  try {
    return await fs.readFile(path);
  } catch (cause) {
    const { code = '', message } = cause as NodeJS.ErrnoException;
    throw new MambaError('IO', `${path}: ${REASONS[code] ?? message}`, { cause, details: { path } });
  }
}
