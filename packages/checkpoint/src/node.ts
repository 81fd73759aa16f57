import { MambaError } from '@mamba-ts/backend';

/** Whether Node's file system is there. */
export function isNode(): boolean {
  return typeof process !== 'undefined' && typeof process.getBuiltinModule === 'function';
}

/**
 * Node's modules for files. Neither `import 'node:fs'` nor `import('node:fs')`: bundlers for browsers resolve both when
 * they build, and most refuse the `node:` scheme.
 *
 * @throws MambaError `INVALID_ARGUMENT` in a browser
 */
export function nodeModules() {
  if (!isNode()) {
    throw new MambaError(
      'INVALID_ARGUMENT',
      'paths of the file system need Node (20.19 or later); in a browser, pass a URL, a Hugging Face id, File objects or bytes',
    );
  }
  return {
    fs: process.getBuiltinModule('node:fs/promises'),
    path: process.getBuiltinModule('node:path'),
    os: process.getBuiltinModule('node:os'),
    url: process.getBuiltinModule('node:url'),
  };
}
