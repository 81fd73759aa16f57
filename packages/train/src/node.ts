import { MambaError } from '@mamba-ts/backend';

/**
 * Node's modules for files. No `import`, not even a dynamic one: bundlers for browsers resolve both when they build, and
 * most refuse the `node:` scheme.
 * @throws MambaError `INVALID_ARGUMENT` in a browser
 */
export function nodeModules() {
  if (typeof process === 'undefined' || typeof process.getBuiltinModule !== 'function') {
    throw new MambaError(
      'INVALID_ARGUMENT',
      'train: a run lives in a folder, which needs Node 20.19 or later; in a browser use Trainer and runTraining',
    );
  }
  return {
    fs: process.getBuiltinModule('node:fs/promises'),
    path: process.getBuiltinModule('node:path'),
    crypto: process.getBuiltinModule('node:crypto'),
  };
}
