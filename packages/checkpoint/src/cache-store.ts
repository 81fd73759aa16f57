import { throwIfAborted } from '@mamba-ts/backend';
import { isNode, nodeModules } from './node.js';
import type { ByteRange } from './source.js';
import { folderSource, ioError } from './sources/folder.js';
import { writeFileAtomic } from './write-file-atomic.js';

/** Where a cache keeps its pieces: `entry/piece` keys of letters, digits, `.`, `_` and `-`. */
export interface CacheStore {
  /** The bytes under a key, or a range of them; undefined where there are none. */
  get(key: string, range?: ByteRange, signal?: AbortSignal): Promise<Uint8Array | undefined>;
  /** All or nothing: no reader ever sees half of it. */
  put(key: string, bytes: Uint8Array): Promise<void>;
  delete(key: string): Promise<void>;
  keys(): Promise<string[]>;
}

/** A folder (Node only). It is made when something is put. */
export function folderStore(folder: string): CacheStore {
  const { fs, path: paths } = nodeModules();
  const source = folderSource(folder);
  return {
    async get(key, range, signal) {
      if (!(await source.has(key, signal))) return undefined;
      return source.read(key, range, signal);
    },
    async put(key, bytes) {
      const path = paths.join(folder, key);
      await fs.mkdir(paths.dirname(path), { recursive: true });
      await writeFileAtomic(path, bytes);
    },
    async delete(key) {
      const path = paths.join(folder, key);
      await fs.rm(path, { force: true }).catch((cause) => {
        throw ioError(path, cause);
      });
      // Fails where something is left in it.
      await fs.rmdir(paths.dirname(path)).catch(() => {});
    },
    async keys() {
      const entries = await fs.readdir(folder, { withFileTypes: true }).catch(() => []);
      const inside = entries
        .filter((entry) => entry.isDirectory())
        .map(async ({ name }) => {
          const pieces = await fs.readdir(paths.join(folder, name)).catch(() => []);
          return pieces.map((piece) => `${name}/${piece}`);
        });
      return (await Promise.all(inside)).flat();
    },
  };
}

/** The browser's Cache API, in a cache of its own. */
export function browserStore(name = 'mamba-ts'): CacheStore {
  // Its keys are addresses. This one belongs to nobody (RFC 2606).
  const address = (key: string) => `https://cache.mamba-ts.invalid/${key}`;
  const open = () => globalThis.caches.open(name);
  return {
    async get(key, range, signal) {
      throwIfAborted(signal, `reading ${key} of the cache`);
      const response = await (await open()).match(address(key));
      if (!response) return undefined;
      const blob = await response.blob();
      return new Uint8Array(await (range ? blob.slice(range.start, range.end) : blob).arrayBuffer());
    },
    async put(key, bytes) {
      await (await open()).put(address(key), new Response(bytes as BodyInit));
    },
    async delete(key) {
      await (await open()).delete(address(key));
    },
    async keys() {
      const requests = await (await open()).keys();
      return requests.map(({ url }) => url.slice(address('').length));
    },
  };
}

/**
 * Where pieces go unless told otherwise. Node: `$MAMBA_TS_CACHE`, or `mamba-ts` in the user's folder for caches.
 * Browser: the Cache API; undefined where a page has none (it is not on https).
 */
export function defaultStore(): CacheStore | undefined {
  if (!isNode()) return typeof caches === 'undefined' ? undefined : browserStore();
  const { os, path: paths } = nodeModules();
  const { env, platform } = process;
  const ofPlatform =
    platform === 'win32'
      ? (env.LOCALAPPDATA ?? paths.join(os.homedir(), 'AppData', 'Local'))
      : platform === 'darwin'
        ? paths.join(os.homedir(), 'Library', 'Caches')
        : paths.join(os.homedir(), '.cache');
  return folderStore(env.MAMBA_TS_CACHE ?? paths.join(env.XDG_CACHE_HOME ?? ofPlatform, 'mamba-ts'));
}
