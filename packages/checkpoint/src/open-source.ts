import { MambaError } from '@mamba-ts/backend';
import { type CheckpointCache, openCache } from './cache.js';
import { defaultStore } from './cache-store.js';
import { isNode, nodeModules } from './node.js';
import type { Source } from './source.js';
import { filesSource } from './sources/files.js';
import { folderSource } from './sources/folder.js';
import { HttpSource } from './sources/http.js';
import { type HubOptions, hubSource, isHubId } from './sources/hub.js';
import { type FileRecord, memorySource } from './sources/memory.js';

/**
 * Where a checkpoint is: a folder or a file (Node), an address of either, a Hugging Face id (`owner/name`), a Blob, File
 * objects, the bytes of a safetensors file, files in memory by name, or a `Source`.
 */
export type SourceLike =
  | string
  | URL
  | Blob
  | Iterable<Blob>
  | Uint8Array
  | ArrayBuffer
  | FileRecord
  | Source;

/** `revision`, `endpoint` and `token` are for Hugging Face ids; the rest for whatever is on the web. */
export interface OpenSourceOptions extends HubOptions {
  /**
   * Keep what is fetched on this machine. Default: yes for Hugging Face ids (in `openCache()`), no for addresses.
   */
  cache?: boolean | CheckpointCache | undefined;
}

/**
 * Picks the kind of source. A text is an address (`https://...`), else a path that exists, else a Hugging Face id; in a
 * browser, a text that begins with `/` or `.` is an address relative to the page.
 *
 * @throws MambaError `IO` where there is no such path, `INVALID_ARGUMENT` for what is none of these
 */
export async function openSource(from: SourceLike, options: OpenSourceOptions = {}): Promise<Source> {
  if (typeof from === 'string') return openText(from, options);
  if (from instanceof URL) return openText(from.href, options);
  if (from instanceof Blob) return filesSource([from]);
  if (from instanceof Uint8Array || from instanceof ArrayBuffer)
    return memorySource({ 'model.safetensors': from });
  if (typeof from === 'object' && from !== null) {
    if (isSource(from)) return from;
    if (!(Symbol.iterator in from)) return memorySource(from as FileRecord);
    const files = [...from];
    if (files.length > 0 && files.every((file) => file instanceof Blob)) return filesSource(files);
  }
  throw new MambaError(
    'INVALID_ARGUMENT',
    'a checkpoint is opened from a path, an address, a Hugging Face id, File objects, bytes, or an object of bytes by file name',
  );
}

function isSource(x: object): x is Source {
  return 'read' in x && typeof x.read === 'function' && 'size' in x && typeof x.size === 'function';
}

async function openText(text: string, options: OpenSourceOptions): Promise<Source> {
  if (/^https?:/i.test(text))
    return cached(options.cache ?? false, options, (http) => new HttpSource(text, http));
  if (!isNode() && /^[./]/.test(text)) {
    const address = new URL(text, globalThis.location.href);
    return cached(options.cache ?? false, options, (http) => new HttpSource(address, http));
  }
  if (isNode()) {
    const local = await openPath(text);
    if (local) return local;
  }
  if (isHubId(text)) return cached(options.cache ?? true, options, (http) => hubSource(text, http));
  throw new MambaError(
    'IO',
    `${JSON.stringify(text)}: no such file or folder, and neither an http(s) address nor a Hugging Face id ("owner/name")`,
    { details: { path: text } },
  );
}

async function openPath(text: string): Promise<Source | undefined> {
  const { fs, path: paths, url } = nodeModules();
  const path = text.startsWith('file:') ? url.fileURLToPath(text) : text;
  const stat = await fs.stat(path).catch(() => undefined);
  if (stat?.isDirectory()) return folderSource(path);
  return stat && folderSource(paths.dirname(path), paths.basename(path));
}

/** A cached source probes with one byte, since chunks bring the rest; a browser need not keep the same bytes twice. */
function cached(
  cache: boolean | CheckpointCache,
  options: OpenSourceOptions,
  open: (http: HubOptions) => HttpSource,
): Source {
  const { cache: _, ...http } = options;
  if (cache === false || (cache === true && !defaultStore())) return open(http);
  return (cache === true ? openCache() : cache).wrap(
    open({ readAhead: 1, requestCache: 'no-store', ...http }),
  );
}
