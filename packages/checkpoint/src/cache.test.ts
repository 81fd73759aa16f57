import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { expectError, pattern, same, temporaryFolder } from '../test/helpers.js';
import { type Behaviour, serve, type TestServer } from '../test/server.js';
import { CheckpointCache, openCache } from './cache.js';
import { browserStore, type CacheStore, folderStore } from './cache-store.js';
import { encodeSafetensors } from './encode.js';
import { openCheckpoint } from './open-checkpoint.js';
import { openSource } from './open-source.js';
import { HttpSource } from './sources/http.js';

const KIB = 1024;
const CHUNK = 64 * KIB;
const data = pattern(1024 * KIB);
const model = encodeSafetensors({
  big: { dtype: 'u8', shape: [data.length], data },
  small: { dtype: 'f32', shape: [1], data: Float32Array.of(1) },
});
const chunks = Math.ceil(model.length / CHUNK);

/** Bytes of bodies that a server sent. */
const sent = (server: TestServer) => server.seen.reduce((sum, note) => sum + note.sent, 0);

/** The browser's Cache API as far as a store needs it: answers by address, blobs out. */
function fakeCaches(): CacheStorage {
  const all = new Map<string, Map<string, Blob>>();
  return {
    async open(name: string) {
      const entries = all.get(name) ?? new Map<string, Blob>();
      all.set(name, entries);
      return {
        match: async (url: string) => (entries.has(url) ? new Response(entries.get(url)) : undefined),
        put: async (url: string, response: Response) => void entries.set(url, await response.blob()),
        delete: async (url: string) => entries.delete(url),
        keys: async () => [...entries.keys()].map((url) => new Request(url)),
      };
    },
  } as unknown as CacheStorage;
}

const stores: [string, () => Promise<CacheStore>][] = [
  ['a folder', async () => folderStore(await temporaryFolder())],
  [
    'the Cache API',
    async () => {
      globalThis.caches = fakeCaches();
      return browserStore();
    },
  ],
];

describe.each(stores)('in %s', (_, makeStore) => {
  const setUp = async (behaviour: Behaviour = {}) => {
    const server = await serve({ 'm/model.safetensors': model }, behaviour);
    const cache = new CheckpointCache(await makeStore(), CHUNK);
    /** A new session: nothing remembered but what the cache holds. */
    const session = () => cache.wrap(new HttpSource(`${server.url}m`, { readAhead: 1, retries: 0 }));
    return { server, cache, session };
  };

  test('what was read once is not fetched again', async () => {
    const { server, session } = await setUp();
    const first = await openCheckpoint(session());
    // The header and the small tensor lie in the first chunk.
    await first.read('small');
    expect(sent(server)).toBe(1 + CHUNK);
    expect(same((await first.read('big')).data, data)).toBe(true);
    expect(sent(server)).toBe(1 + model.length);
    expect(server.seen.map(({ range }) => range)).toEqual([
      'bytes=0-0',
      `bytes=0-${CHUNK - 1}`,
      `bytes=${CHUNK}-${model.length - 1}`,
    ]);

    const second = await openCheckpoint(session());
    expect(same((await second.read('big')).data, data)).toBe(true);
    expect((await second.read('small')).data).toEqual(Float32Array.of(1));
    // One byte: is it still the same file?
    expect(sent(server)).toBe(2 + model.length);
  });

  test('after an abort only the rest is fetched', async () => {
    const { server, session, cache } = await setUp({ slow: 16 * KIB });
    const controller = new AbortController();
    const first = await openCheckpoint(session(), {
      signal: controller.signal,
      onProgress: ({ loaded }) => loaded > 500 * KIB && controller.abort(),
    });
    await expectError(first.read('big'), 'ABORTED', /reading/);
    const [{ url, size, cached }] = await cache.list();
    expect({ url, size }).toEqual({ url: `${server.url}m/model.safetensors`, size: model.length });
    // All whole chunks that came before the abort, and no half one.
    expect(cached % CHUNK).toBe(0);
    expect(cached).toBeGreaterThan(500 * KIB - CHUNK);
    expect(cached).toBeLessThan(500 * KIB + 2 * CHUNK);

    server.seen.length = 0;
    const second = await openCheckpoint(session());
    expect(same((await second.read('big')).data, data)).toBe(true);
    expect(sent(server)).toBe(1 + model.length - cached);
    expect((await cache.list())[0].cached).toBe(model.length);
  });

  test('a file that changed is fetched anew', async () => {
    const { server, session, cache } = await setUp({ slow: 16 * KIB });
    const controller = new AbortController();
    const first = await openCheckpoint(session());
    const reading = first.read('big', { signal: controller.signal });
    setTimeout(() => controller.abort(), 100);
    await expectError(reading, 'ABORTED', /reading/);

    const changed = encodeSafetensors({
      big: { dtype: 'u8', shape: [data.length], data: pattern(data.length, 2) },
    });
    server.files.set('m/model.safetensors', changed);
    server.etag = '"v2"';
    server.behaviour.slow = undefined as never;
    const second = await openCheckpoint(session());
    expect(same((await second.read('big')).data, pattern(data.length, 2))).toBe(true);
    expect(await cache.list()).toEqual([
      { url: `${server.url}m/model.safetensors`, size: changed.length, cached: changed.length },
    ]);
  });

  test('a file that changes while it is read is not mixed', async () => {
    const { server, session } = await setUp();
    const checkpoint = await openCheckpoint(session());
    server.etag = '"v2"';
    await expectError(checkpoint.read('big'), 'IO', /changed on the server/);
    // What was read stays right.
    expect((await checkpoint.read('small')).data).toEqual(Float32Array.of(1));
  });

  test('without a connection it answers alone', async () => {
    const { server, session } = await setUp();
    const first = await openCheckpoint(session());
    await first.read('big');
    expect(await session().has('other.json')).toBe(false);
    await server.close();
    const second = await openCheckpoint(session());
    expect(same((await second.read('big')).data, data)).toBe(true);
    expect(await session().has('other.json')).toBe(false);
    await expectError(session().has('third.json'), 'IO', /the request failed/);
  });

  test('a part that is missing there is an error without a connection', async () => {
    const { server, session } = await setUp();
    const first = await openCheckpoint(session());
    await server.close();
    expect((await first.read('small')).data).toEqual(Float32Array.of(1));
    await expectError(first.read('big'), 'IO', /the request failed/);
  });

  test('a server without Range', async () => {
    const { server, session, cache } = await setUp({ ignoreRange: true });
    const first = await openCheckpoint(session());
    await first.read('small');
    expect(same((await first.read('big')).data, data)).toBe(true);
    expect((await cache.list())[0].cached).toBe(model.length);
    server.seen.length = 0;
    const second = await openCheckpoint(session());
    expect(same((await second.read('big')).data, data)).toBe(true);
    expect(server.seen).toHaveLength(1);
  });

  test('at once: every chunk is fetched once', async () => {
    const { server, session } = await setUp();
    const source = session();
    const parts = Array.from({ length: 40 }, (_, i) => ({ start: i * 25_000, end: i * 25_000 + 30_000 }));
    const read = await Promise.all(parts.map((part) => source.read('model.safetensors', part)));
    for (const [i, bytes] of read.entries())
      expect(same(bytes, model.subarray(parts[i].start, parts[i].end))).toBe(true);
    expect(sent(server)).toBe(1 + Math.min(model.length, Math.ceil(parts[39].end / CHUNK) * CHUNK));
  });

  test('list and clear', async () => {
    const { server, session, cache } = await setUp();
    server.files.set('m/b.json', new Uint8Array(10));
    expect(await cache.list()).toEqual([]);
    await session().read('b.json');
    await session().read('model.safetensors', { start: CHUNK, end: CHUNK + 1 });
    expect(await session().has('none.json')).toBe(false);
    const [b, m] = [`${server.url}m/b.json`, `${server.url}m/model.safetensors`];
    expect(await cache.list()).toEqual([
      { url: b, size: 10, cached: 10 },
      { url: m, size: model.length, cached: CHUNK },
    ]);
    await cache.clear(b);
    expect((await cache.list()).map(({ url }) => url)).toEqual([m]);
    await cache.clear();
    expect(await cache.list()).toEqual([]);
    await session().read('b.json');
    expect(await cache.list()).toHaveLength(1);
  });

  test('a file of no bytes, a missing file', async () => {
    const { server, session } = await setUp();
    server.files.set('m/empty', new Uint8Array(0));
    expect(await session().read('empty')).toEqual(new Uint8Array(0));
    expect(await session().size('empty')).toBe(0);
    await expectError(session().size('none'), 'IO', /m\/none: no such file/);
    await expectError(session().read('../x'), 'INVALID_ARGUMENT', /\.\./);
  });
});

describe('a damaged folder', () => {
  const setUp = async () => {
    const server = await serve({ 'model.safetensors': model });
    const folder = await temporaryFolder();
    const cache = new CheckpointCache(folderStore(folder), CHUNK);
    const session = () => cache.wrap(new HttpSource(server.url, { readAhead: 1, retries: 0 }));
    await session().read('model.safetensors');
    const [entry] = await readdir(folder);
    const pieces = (await readdir(join(folder, entry))).map((name) => join(folder, entry, name));
    server.seen.length = 0;
    return { server, folder, cache, session, pieces };
  };

  test('a chunk that is short or gone is fetched again', async () => {
    const { server, session, pieces } = await setUp();
    expect(pieces).toHaveLength(chunks + 1);
    const fifth = pieces.find((path) => path.endsWith('-5')) as string;
    await truncate(fifth, 100);
    expect(same(await session().read('model.safetensors'), model)).toBe(true);
    expect(sent(server)).toBe(1 + CHUNK);
    expect((await readFile(fifth)).length).toBe(CHUNK);
  });

  test.each(['', 'null', '{"url":1}', '{"url":"http://other/","size":1,"version":"","missing":false}'])(
    'a head of %j counts as none',
    async (text) => {
      const { server, session, pieces, cache } = await setUp();
      await writeFile(pieces.find((path) => path.endsWith('head')) as string, text);
      expect(same(await session().read('model.safetensors'), model)).toBe(true);
      expect(sent(server)).toBe(1 + model.length);
      await writeFile(pieces.find((path) => path.endsWith('head')) as string, text);
      await cache.clear();
      expect(await cache.list()).toEqual([]);
    },
  );

  test('temporary files of a killed process are not chunks', async () => {
    const { session, folder, pieces, cache } = await setUp();
    await writeFile(join(pieces[0], '..', '.x.1.abc.tmp'), 'half');
    expect(same(await session().read('model.safetensors'), model)).toBe(true);
    expect((await cache.list())[0].cached).toBe(model.length);
    await cache.clear();
    expect(await readdir(folder)).toEqual([]);
  });
});

test('a store without room does not keep a file from being read', async () => {
  const server = await serve({ 'model.safetensors': model });
  let puts = 0;
  const store: CacheStore = {
    get: async () => undefined,
    put: () => {
      puts++;
      return Promise.reject(new Error('QuotaExceededError'));
    },
    delete: () => Promise.reject(new Error('read-only')),
    keys: () => Promise.reject(new Error('refused')),
  };
  const source = new CheckpointCache(store, CHUNK).wrap(new HttpSource(server.url, { readAhead: 1 }));
  const checkpoint = await openCheckpoint(source);
  expect(same((await checkpoint.read('big')).data, data)).toBe(true);
  expect(puts).toBe(1);
});

describe('openSource', () => {
  test('caches a Hugging Face id, and an address only when told to', async () => {
    const server = await serve({ 'a/b/resolve/main/model.safetensors': model });
    const cache = openCache(await temporaryFolder());
    const remote = { endpoint: server.url, cache };
    await (await openCheckpoint('a/b', remote)).read('small');
    expect(await cache.list()).toEqual([
      { url: `${server.url}a/b/resolve/main/model.safetensors`, size: model.length, cached: model.length },
    ]);
    const address = `${server.url}a/b/resolve/main/`;
    expect(await openSource(address)).toBeInstanceOf(HttpSource);
    expect(await openSource(address, { cache })).not.toBeInstanceOf(HttpSource);
    expect(await openSource('a/b', { cache: false })).toBeInstanceOf(HttpSource);
  });

  test('the default cache is where the environment says', async () => {
    const server = await serve({ 'a/b/resolve/main/model.safetensors': model });
    const folder = await temporaryFolder();
    const before = process.env.MAMBA_TS_CACHE;
    process.env.MAMBA_TS_CACHE = folder;
    try {
      await openCheckpoint('a/b', { endpoint: server.url });
      expect(await openCache().list()).toHaveLength(1);
    } finally {
      if (before === undefined) delete process.env.MAMBA_TS_CACHE;
      else process.env.MAMBA_TS_CACHE = before;
    }
    expect(await readdir(folder)).toHaveLength(1);
  });
});
