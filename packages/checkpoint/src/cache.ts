import { MambaError, throwIfAborted } from '@mamba-ts/backend';
import { type CacheStore, defaultStore, folderStore } from './cache-store.js';
import { gather } from './gather.js';
import { decodeUtf8 } from './json.js';
import { Locks } from './locks.js';
import { type ByteRange, checkRange, missing, type Source } from './source.js';
import type { HttpSource } from './sources/http.js';

/** A file of which the cache holds something. */
export interface CacheEntry {
  readonly url: string;
  /** Bytes of the whole file. */
  readonly size: number;
  /** Bytes of it that are here. */
  readonly cached: number;
}

/** What the cache notes of a file: which version of it the chunks are of, or that there is none. */
interface Head {
  readonly url: string;
  readonly size: number;
  readonly version: string;
  readonly missing: boolean;
}

interface OpenFile {
  /** The prefix of its chunks' keys: chunks of two versions never meet, whatever other processes do. */
  readonly chunks: string;
  readonly head: Head;
  readonly present: Set<number>;
}

/**
 * Files from the web, kept in chunks. What was read once is not fetched again; a download that broke off goes on from
 * the last whole chunk. At the first read of a session the server is asked whether the file is still the same (ETag or
 * Last-Modified, and size): if not, its chunks are dropped; if there is no connection, the cache answers alone.
 */
export class CheckpointCache {
  readonly #store: CacheStore;
  readonly #chunkBytes: number;

  /** @param chunkBytes what is fetched and kept as one */
  constructor(store: CacheStore, chunkBytes: number = 8 << 20) {
    this.#store = store;
    this.#chunkBytes = chunkBytes;
  }

  /** The same files, through the cache. */
  wrap(remote: HttpSource): Source {
    return new CachedSource(remote, this.#store, this.#chunkBytes);
  }

  async list(): Promise<CacheEntry[]> {
    const keys = await this.#store.keys();
    const entries: CacheEntry[] = [];
    for (const key of keys.filter((key) => key.endsWith('/head'))) {
      const head = await readHead(this.#store, key);
      if (!head || head.missing) continue;
      const chunks = presentChunks(keys, chunkPrefix(entryOf(key), head, this.#chunkBytes));
      let cached = 0;
      for (const i of chunks) cached += Math.min(this.#chunkBytes, head.size - i * this.#chunkBytes);
      entries.push({ url: head.url, size: head.size, cached });
    }
    return entries.sort((a, b) => (a.url < b.url ? -1 : 1));
  }

  /** Deletes what is here of some files (a prefix of their addresses says which), or of all. */
  async clear(urlPrefix = ''): Promise<void> {
    const keys = await this.#store.keys();
    const doomed = new Set<string>();
    for (const entry of new Set(keys.map(entryOf))) {
      const head = await readHead(this.#store, `${entry}/head`);
      // A head that cannot be read goes with the whole.
      if (head ? head.url.startsWith(urlPrefix) : urlPrefix === '') doomed.add(entry);
    }
    for (const key of keys) if (doomed.has(entryOf(key))) await this.#store.delete(key);
  }
}

/**
 * The cache of this machine, or one in a folder of your choice.
 *
 * @throws MambaError `UNSUPPORTED_DEVICE` in a page that has no Cache API
 */
export function openCache(folder?: string): CheckpointCache {
  const store = folder === undefined ? defaultStore() : folderStore(folder);
  if (store) return new CheckpointCache(store);
  throw new MambaError(
    'UNSUPPORTED_DEVICE',
    'this page has no Cache API: serve it over https, or pass cache: false',
  );
}

class CachedSource implements Source {
  readonly name: string;
  readonly entry?: string;
  readonly #remote: HttpSource;
  readonly #store: CacheStore;
  readonly #chunkBytes: number;
  readonly #files = new Map<string, OpenFile>();
  readonly #locks = new Locks();
  /** Whether the store still takes chunks; without room the files are read all the same. */
  #hasRoom = true;

  constructor(remote: HttpSource, store: CacheStore, chunkBytes: number) {
    this.name = remote.name;
    if (remote.entry !== undefined) this.entry = remote.entry;
    this.#remote = remote;
    this.#store = store;
    this.#chunkBytes = chunkBytes;
  }

  async size(path: string, signal?: AbortSignal): Promise<number> {
    const { head } = await this.#open(path, signal);
    if (head.missing) throw missing(head.url.replace(/\?.*/, ''), { path, status: 404 });
    return head.size;
  }

  async has(path: string, signal?: AbortSignal): Promise<boolean> {
    return !(await this.#open(path, signal)).head.missing;
  }

  async read(
    path: string,
    range?: ByteRange,
    signal?: AbortSignal,
    onBytes?: (count: number) => void,
  ): Promise<Uint8Array> {
    const asked = checkRange(path, await this.size(path, signal), range);
    // One read of a file at a time: two that miss one chunk would fetch it twice.
    return this.#locks.run(path, signal, `reading ${path}`, async () => {
      const pieces = this.#pieces(path, await this.#open(path, signal), asked, signal);
      return (await gather(pieces, asked.end - asked.start, path, onBytes)) as Uint8Array;
    });
  }

  async #open(path: string, signal?: AbortSignal): Promise<OpenFile> {
    throwIfAborted(signal, `reading ${path}`);
    const open = () => this.#files.get(path);
    return (
      open() ??
      this.#locks.run(
        `opening ${path}`,
        signal,
        `reading ${path}`,
        async () => open() ?? this.#begin(path, signal),
      )
    );
  }

  async #begin(path: string, signal?: AbortSignal): Promise<OpenFile> {
    const url = this.#remote.url(path);
    const entry = `${hash(url)}-${path.replace(/[^A-Za-z0-9._-]/g, '_').slice(-80)}`;
    const stored = await readHead(this.#store, `${entry}/head`).then((head) =>
      head?.url === url ? head : undefined,
    );
    const head = await this.#identify(path, url, stored, signal);
    const fresh = stored !== undefined && head.size === stored.size && head.version === stored.version;
    if (!fresh || head.missing !== stored.missing) await this.#replace(entry, head);
    const chunks = chunkPrefix(entry, head, this.#chunkBytes);
    const file = { chunks, head, present: new Set(presentChunks(await this.#keys(), chunks)) };
    this.#files.set(path, file);
    return file;
  }

  /** What the server says of the file now; what it said last, where it cannot be asked. */
  async #identify(path: string, url: string, stored: Head | undefined, signal?: AbortSignal): Promise<Head> {
    try {
      const { size, version } = await this.#remote.identity(path, signal);
      return { url, size, version, missing: false };
    } catch (error) {
      const { code, details } = error as MambaError;
      if (code === 'IO' && (details.status === 404 || details.status === 410)) {
        return { url, size: 0, version: '', missing: true };
      }
      if (code === 'IO' && details.transient === true && stored) return stored;
      throw error;
    }
  }

  /** A store that cannot be listed is empty, one that cannot be written to is full: neither keeps a file from being read. */
  #keys(): Promise<string[]> {
    return this.#store.keys().catch(() => []);
  }

  async #replace(entry: string, head: Head): Promise<void> {
    for (const key of await this.#keys())
      if (entryOf(key) === entry) await this.#store.delete(key).catch(() => {});
    await this.#put(`${entry}/head`, new TextEncoder().encode(JSON.stringify(head)));
  }

  async #put(key: string, bytes: Uint8Array): Promise<void> {
    if (!this.#hasRoom) return;
    try {
      await this.#store.put(key, bytes);
    } catch {
      this.#hasRoom = false;
    }
  }

  /** The bytes of a range: what is here from here, runs of missing chunks with one request each. */
  async *#pieces(
    path: string,
    file: OpenFile,
    { start, end }: ByteRange,
    signal?: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, void> {
    const size = this.#chunkBytes;
    for (let at = start; at < end; ) {
      const first = Math.floor(at / size);
      if (file.present.has(first)) {
        const stop = Math.min(end, (first + 1) * size);
        const part = { start: at - first * size, end: stop - first * size };
        const bytes = await this.#store.get(file.chunks + first, part, signal).catch(() => undefined);
        throwIfAborted(signal, `reading ${path}`);
        if (bytes?.length === stop - at) {
          at = stop;
          yield bytes;
          continue;
        }
        // Someone deleted or damaged it.
        file.present.delete(first);
      }
      let last = first + 1;
      while (last * size < end && !file.present.has(last)) last++;
      for await (const { offset, bytes } of this.#download(path, file, first, last, signal)) {
        const from = Math.max(0, at - offset);
        const to = Math.min(bytes.length, end - offset);
        if (to <= from) continue;
        at = offset + to;
        yield bytes.subarray(from, to);
      }
    }
  }

  /** Fetches chunks `first` to `last`, `last` not included; keeps each as soon as it is whole. */
  async *#download(
    path: string,
    file: OpenFile,
    first: number,
    last: number,
    signal?: AbortSignal,
  ): AsyncGenerator<{ offset: number; bytes: Uint8Array }, void, void> {
    const now = await this.#remote.identity(path, signal);
    if (now.size !== file.head.size || now.version !== file.head.version) {
      throw new MambaError('IO', `${path}: the file changed on the server while it was read; open it again`, {
        details: { path },
      });
    }
    const size = this.#chunkBytes;
    const end = Math.min(file.head.size, last * size);
    let offset = first * size;
    let chunk = new Uint8Array(Math.min(size, end - offset));
    let filled = 0;
    for await (const piece of this.#remote.stream(path, { start: offset, end }, signal)) {
      for (let used = 0; used < piece.length; ) {
        const bytes = piece.subarray(used, used + chunk.length - filled);
        chunk.set(bytes, filled);
        filled += bytes.length;
        used += bytes.length;
        yield { offset, bytes };
        offset += bytes.length;
        if (filled < chunk.length) continue;
        const index = Math.ceil(offset / size) - 1;
        await this.#put(file.chunks + index, chunk);
        if (this.#hasRoom) file.present.add(index);
        chunk = new Uint8Array(Math.min(size, end - offset));
        filled = 0;
      }
    }
  }
}

function entryOf(key: string): string {
  return key.slice(0, key.indexOf('/'));
}

function chunkPrefix(entry: string, { version, size }: Head, chunkBytes: number): string {
  return `${entry}/${hash(`${version} ${size} ${chunkBytes}`)}-`;
}

function presentChunks(keys: string[], prefix: string): number[] {
  return keys.filter((key) => key.startsWith(prefix)).map((key) => Number(key.slice(prefix.length)));
}

async function readHead(store: CacheStore, key: string): Promise<Head | undefined> {
  try {
    const bytes = await store.get(key);
    const head = JSON.parse((bytes && decodeUtf8(bytes)) ?? 'null') as Head | null;
    const whole =
      typeof head?.url === 'string' &&
      Number.isSafeInteger(head.size) &&
      typeof head.version === 'string' &&
      typeof head.missing === 'boolean';
    return whole ? (head as Head) : undefined;
  } catch {
    return undefined;
  }
}

/** FNV-1a, 64 bits, hexadecimal: names files, guards nothing (a head holds the address in full). */
function hash(text: string): string {
  let h = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text))
    h = BigInt.asUintN(64, (h ^ BigInt(byte)) * 0x100000001b3n);
  return h.toString(16).padStart(16, '0');
}
