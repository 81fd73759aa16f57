import { describe, expect, test } from 'vitest';
import { expectError, pattern, same } from '../../test/helpers.js';
import { serve } from '../../test/server.js';
import { encodeSafetensors } from '../encode.js';
import { openCheckpoint, type Progress } from '../open-checkpoint.js';
import { readJson } from '../read-json.js';
import { HttpSource } from './http.js';
import { hubSource } from './hub.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const big = pattern(3 * MIB);
const model = encodeSafetensors({
  big: { dtype: 'u8', shape: [3 * MIB], data: big },
  small: { dtype: 'f32', shape: [2], data: Float32Array.of(1, 2) },
  tiny: { dtype: 'i64', shape: [1], data: BigInt64Array.of(-1n) },
});
const files = { 'm/model.safetensors': model, 'm/config.json': new TextEncoder().encode('{"a":Infinity}') };
const short = { retries: 1 };

describe('a server with Range', () => {
  test('the header and a tensor come alone', async () => {
    const server = await serve(files);
    const source = new HttpSource(`${server.url}m`, { readAhead: 4 * KIB });
    const checkpoint = await openCheckpoint(source);
    expect((await checkpoint.read('small')).data).toEqual(Float32Array.of(1, 2));
    expect((await checkpoint.read('tiny')).data).toEqual(BigInt64Array.of(-1n));
    // The order in the file is tiny, small, big: all that is asked for lies in the first 4 KiB.
    expect(server.seen.map(({ range }) => range)).toEqual(['bytes=0-4095']);
    expect(same((await checkpoint.read('big')).data, big)).toBe(true);
    const { offset } = checkpoint.tensors.get('big') as { offset: number };
    expect(server.seen.map(({ range }) => range)).toEqual([
      'bytes=0-4095',
      `bytes=${offset}-${model.length - 1}`,
    ]);
  });

  test('small reads far apart: one request each, in any order and at once', async () => {
    const server = await serve(files);
    const source = new HttpSource(`${server.url}m/`, { readAhead: KIB });
    const starts = [0, 2 * MIB, 500, 2 * MIB + 100, MIB];
    const pieces = await Promise.all(
      starts.map((start) => source.read('model.safetensors', { start, end: start + 300 })),
    );
    for (const [i, piece] of pieces.entries()) {
      expect(same(piece, model.subarray(starts[i], starts[i] + 300))).toBe(true);
    }
  });

  test('config.json: one request, numbers as Python writes them', async () => {
    const server = await serve(files);
    const source = new HttpSource(`${server.url}m/`);
    expect(await readJson(source, 'config.json')).toEqual({ a: Infinity });
    expect(server.seen).toHaveLength(1);
    expect(await source.has('nope.json')).toBe(false);
    await expectError(source.read('nope.json'), 'IO', /m\/nope\.json: no such file/);
  });

  test('an empty file', async () => {
    const server = await serve({ empty: new Uint8Array(0) });
    const source = new HttpSource(server.url);
    expect(await source.size('empty')).toBe(0);
    expect(await source.read('empty')).toEqual(new Uint8Array(0));
    await expectError(
      source.read('empty', { start: 0, end: 1 }),
      'CHECKPOINT_FORMAT',
      /ends at byte 0, but bytes 0 to 1/,
    );
  });

  test('an address of a file: its name is the entry, its query goes along', async () => {
    const server = await serve({ 'm/a b.safetensors': model, 'm/config.json': files['m/config.json'] });
    const source = new HttpSource(`${server.url}m/a%20b.safetensors?key=secret#x`);
    expect(source.entry).toBe('a b.safetensors');
    expect((await openCheckpoint(source)).tensors.size).toBe(3);
    await readJson(source, 'config.json');
    expect(server.seen.map(({ url }) => url)).toEqual([
      '/m/a%20b.safetensors?key=secret',
      '/m/config.json?key=secret',
    ]);
    server.files.clear();
    const error = await expectError(source.read('other.json'), 'IO', /no such file/);
    expect(error.message).not.toContain('secret');
  });

  test('a server that hides Content-Range from pages', async () => {
    const server = await serve(files, { hideContentRange: true });
    const checkpoint = await openCheckpoint(`${server.url}m`);
    expect(same((await checkpoint.read('big')).data, big)).toBe(true);
    expect(server.seen.map(({ method }) => method)).toEqual(['GET', 'HEAD', 'GET']);
  });

  test('progress follows the network', async () => {
    const server = await serve(files);
    const events: Progress[] = [];
    const checkpoint = await openCheckpoint(`${server.url}m`, { onProgress: (event) => events.push(event) });
    for (const name of checkpoint.tensors.keys()) await checkpoint.read(name);
    expect(events.length).toBeGreaterThan(10);
    expect(events.at(-1)).toEqual({
      phase: 'weights',
      file: 'model.safetensors',
      loaded: model.length,
      total: model.length,
    });
  });
});

describe('a server without Range', () => {
  test('is read once, into memory', async () => {
    const server = await serve(files, { ignoreRange: true });
    const source = new HttpSource(`${server.url}m`);
    const checkpoint = await openCheckpoint(source);
    const read = await Promise.all([...checkpoint.tensors.keys()].map((name) => checkpoint.read(name)));
    expect(read.some(({ data }) => same(data, big))).toBe(true);
    // The first was given up when the size was known.
    expect(server.seen.map(({ range }) => range)).toEqual([`bytes=0-${512 * KIB - 1}`, undefined]);
  });

  test('a small file takes one request', async () => {
    const server = await serve(files, { ignoreRange: true });
    expect(await readJson(new HttpSource(`${server.url}m`), 'config.json')).toEqual({ a: Infinity });
    expect(server.seen).toHaveLength(1);
  });

  test('a body without a length', async () => {
    const server = await serve(files, { ignoreRange: true, unsized: true });
    const checkpoint = await openCheckpoint(`${server.url}m`);
    expect(same((await checkpoint.read('big')).data, big)).toBe(true);
    expect(server.seen).toHaveLength(1);
  });

  test('a compressed body', async () => {
    const server = await serve(files, { ignoreRange: true, gzip: true });
    expect(same(await new HttpSource(`${server.url}m`).read('model.safetensors'), model)).toBe(true);
  });

  test('parts of it as a stream', async () => {
    const server = await serve(files, { ignoreRange: true });
    const pieces: Uint8Array[] = [];
    for await (const piece of new HttpSource(`${server.url}m`).stream('model.safetensors', {
      start: 5,
      end: 900_000,
    })) {
      pieces.push(piece);
    }
    expect(same(Buffer.concat(pieces), model.subarray(5, 900_000))).toBe(true);
  });
});

describe('failures', () => {
  test('a connection that breaks is taken up where it broke', async () => {
    const server = await serve(files, { cut: (count) => (count <= 3 ? 600 * KIB : undefined) });
    const source = new HttpSource(`${server.url}m`);
    expect(same(await source.read('model.safetensors'), model)).toBe(true);
    const starts = server.seen.map(({ range }) => Number(/\d+/.exec(range as string)));
    // The probe was whole; then twice some 600 KiB further (what was on the way when it broke is lost).
    expect(starts).toHaveLength(4);
    expect(starts.slice(0, 2)).toEqual([0, 0]);
    expect(starts[2]).toBeGreaterThan(0);
    expect(starts[3]).toBeGreaterThan(starts[2]);
  });

  test('a server that always breaks is given up', async () => {
    const server = await serve(files, { cut: () => 100 * KIB });
    const error = await expectError(
      openCheckpoint(`${server.url}m`, short),
      'IO',
      /model\.safetensors: the (connection broke|answer ended|server sent)/,
    );
    expect(error.details.path).toBe(`${server.url}m/model.safetensors`);
    expect(server.seen).toHaveLength(2);
  });

  test('the same without Range', async () => {
    const server = await serve(files, { cut: () => 100 * KIB, ignoreRange: true });
    const checkpoint = new HttpSource(`${server.url}m`, short).read('model.safetensors');
    await expectError(checkpoint, 'IO', /the connection broke|the server sent \d+ of/);
  });

  test('500 and 429 may pass', async () => {
    const server = await serve(files, { status: (_, count) => [500, 429][count - 1] });
    expect((await openCheckpoint(`${server.url}m`)).tensors.size).toBe(3);
    expect(server.seen).toHaveLength(3);
  });

  test('500 for ever does not', async () => {
    const server = await serve(files, { status: () => 500 });
    const error = await expectError(
      openCheckpoint(`${server.url}m`, short),
      'IO',
      /the server answered HTTP 500/,
    );
    expect(error.details.status).toBe(500);
    expect(server.seen).toHaveLength(2);
  });

  test.each([
    [401, /refused \(HTTP 401\): it does not exist, or needs a token/],
    [403, /refused \(HTTP 403\)/],
    [418, /the server answered HTTP 418/],
  ])('%d is not tried again', async (status, message) => {
    const server = await serve(files, { status: () => status });
    await expectError(openCheckpoint(`${server.url}m`), 'IO', message);
    expect(server.seen).toHaveLength(1);
  });

  test('404', async () => {
    const server = await serve({});
    await expectError(
      openCheckpoint(`${server.url}m`),
      'CHECKPOINT_FORMAT',
      /\/m\/: has neither model\.safetensors nor/,
    );
    await expectError(openCheckpoint(`${server.url}m/model.safetensors`), 'IO', /no such file/);
  });

  test('no server', async () => {
    const server = await serve({});
    await server.close();
    await expectError(openCheckpoint(server.url, short), 'IO', /the request failed: .*ECONNREFUSED/);
  });

  test('the file changes between two reads', async () => {
    const server = await serve(files);
    const checkpoint = await openCheckpoint(`${server.url}m`);
    server.etag = '"v2"';
    await expectError(checkpoint.read('big'), 'IO', /changed on the server while it was read; open it again/);
    server.etag = 'W/"v1"';
    expect(same((await checkpoint.read('big')).data, big)).toBe(true);
  });

  test('the file changes between two reads, without Range', async () => {
    const server = await serve(files, { ignoreRange: true });
    const source = new HttpSource(`${server.url}m`);
    await source.size('model.safetensors');
    server.etag = '"v2"';
    await expectError(source.read('model.safetensors'), 'IO', /changed on the server/);
  });

  test('a server that sends other bytes than were asked for', async () => {
    const server = await serve(files, { shift: 8 });
    await expectError(
      new HttpSource(`${server.url}m`, short).read('model.safetensors'),
      'IO',
      /the bytes from 0 on|server sent/,
    );
  });

  test('a server that claims petabytes gets no memory for them', async () => {
    const tall = encodeSafetensors({ a: { dtype: 'u8', shape: [0], data: new Uint8Array(0) } });
    const text = new TextDecoder()
      .decode(tall)
      .replace('"shape":[0],"data_offsets":[0,0]', '"shape":[1e15],"data_offsets":[0,1e15]');
    const json = new TextEncoder().encode(text.slice(8).replaceAll('1e15', '1000000000000000'));
    const bytes = new Uint8Array(8 + json.length);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
    bytes.set(json, 8);
    const server = await serve({ 'model.safetensors': bytes }, { claimedSize: bytes.length + 1e15 });
    const checkpoint = await openCheckpoint(server.url, { ...short, readAhead: 32 });
    expect(checkpoint.tensors.get('a')?.bytes).toBe(1e15);
    await expectError(checkpoint.read('a'), 'IO', /did not answer with the bytes from/);
  });

  test('an address that is none', () => {
    for (const address of ['ftp://x/y', 'http://', 'nonsense', 'http://x/%zz.safetensors']) {
      expect(() => new HttpSource(address)).toThrow(/is not an http\(s\) address/);
    }
  });

  test('a path that leads out', async () => {
    const server = await serve(files);
    const source = new HttpSource(`${server.url}m/`);
    await expectError(source.read('../secret'), 'INVALID_ARGUMENT', /\.\./);
    await expectError(source.read('http://example.com/x'), 'INVALID_ARGUMENT', /is absolute/);
    expect(server.seen).toHaveLength(0);
  });
});

describe('abort', () => {
  test('in the middle of a slow body', async () => {
    const server = await serve(files, { slow: 16 * KIB });
    const controller = new AbortController();
    let came = 0;
    const source = new HttpSource(`${server.url}m`, { readAhead: KIB });
    const reading = source.read('model.safetensors', undefined, controller.signal, (count) => {
      came += count;
      if (came > 100 * KIB) controller.abort('user');
    });
    const error = await expectError(reading, 'ABORTED', /reading http.*model\.safetensors was aborted/);
    expect(error.cause).toBe('user');
    expect(came).toBeLessThan(MIB);
    // The connection is given up, not drained.
    const note = server.seen.at(-1) as { sent: number };
    const settled = note.sent;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(note.sent - settled).toBeLessThan(MIB);
  });

  test('while the server does not answer at all, whatever fetch does with the signal', async () => {
    const controller = new AbortController();
    const source = new HttpSource('http://127.0.0.1/', { fetch: () => new Promise(() => {}) });
    const waiting = [source.read('a', undefined, controller.signal), source.size('a', controller.signal)];
    setTimeout(() => controller.abort(), 10);
    for (const promise of waiting) await expectError(promise, 'ABORTED', /reading/);
  });

  test('between two tries', async () => {
    const server = await serve(files, { status: () => 503 });
    const controller = new AbortController();
    const opening = openCheckpoint(`${server.url}m`, { signal: controller.signal, retries: 1000 });
    setTimeout(() => controller.abort(), 50);
    await expectError(opening, 'ABORTED', /reading/);
  });

  test('of one reader leaves the others alone', async () => {
    const server = await serve(files, { slow: 256 * KIB, ignoreRange: true });
    const source = new HttpSource(`${server.url}m`);
    const controller = new AbortController();
    const first = source.read('model.safetensors', { start: 0, end: 9 }, controller.signal);
    const second = source.read('model.safetensors', { start: 9, end: 99 });
    setTimeout(() => controller.abort(), 20);
    await expectError(first, 'ABORTED', /reading/);
    expect(same(await second, model.subarray(9, 99))).toBe(true);
  });
});

describe('hubSource', () => {
  test('addresses, revision, token', async () => {
    const seen: { url: string; authorization: string | null }[] = [];
    const fetch = (async (url: string, init: RequestInit) => {
      seen.push({ url, authorization: new Headers(init.headers).get('authorization') });
      return new Response('{"model_type":"mamba"}', { headers: { 'content-length': '22' } });
    }) as unknown as typeof globalThis.fetch;
    await readJson(hubSource('state-spaces/mamba-130m-hf', { fetch }), 'config.json');
    const options = { fetch, revision: 'refs/pr/1', endpoint: 'https://mirror.example/', token: 'hf_x' };
    await readJson(hubSource('a/b.c', options), 'sub/con fig.json');
    expect(seen).toEqual([
      {
        url: 'https://huggingface.co/state-spaces/mamba-130m-hf/resolve/main/config.json',
        authorization: null,
      },
      {
        url: 'https://mirror.example/a/b.c/resolve/refs%2Fpr%2F1/sub/con%20fig.json',
        authorization: 'Bearer hf_x',
      },
    ]);
  });

  test('follows the redirect to where the files are, and takes no token there', async () => {
    const store = await serve({ 'a/b/resolve/main/model.safetensors': model });
    const hub = await serve({}, { redirect: store.url.slice(0, -1) });
    const source = hubSource('a/b', { endpoint: hub.url, token: 'hf_x' });
    const checkpoint = await openCheckpoint(source);
    expect(same((await checkpoint.read('big')).data, big)).toBe(true);
    expect(new Set(hub.seen.map(({ authorization }) => authorization))).toEqual(new Set(['Bearer hf_x']));
    expect(new Set(store.seen.map(({ authorization }) => authorization))).toEqual(new Set([undefined]));
    expect(source.name).toBe('Hugging Face model a/b (main)');
  });

  test.each(['a', 'a/b/c', '../b', 'a/..', '/b', 'a/', 'a/b?x', ''])('%j is no id', (id) => {
    expect(() => hubSource(id)).toThrow(/is not a Hugging Face id/);
  });
});
