import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { expectError, pattern, same, temporaryFolder } from '../test/helpers.js';
import { encodeSafetensors } from './encode.js';
import { openCheckpoint } from './open-checkpoint.js';
import { openSource, type SourceLike } from './open-source.js';
import type { Source } from './source.js';
import { filesSource } from './sources/files.js';
import { folderSource } from './sources/folder.js';
import { HttpSource } from './sources/http.js';
import { memorySource } from './sources/memory.js';

const data = pattern(2_500_000);
const model = encodeSafetensors({ big: { dtype: 'u8', shape: [data.length], data } });
const config = new TextEncoder().encode('{}');

const folder = async () => {
  const path = await temporaryFolder();
  await writeFile(join(path, 'model.safetensors'), model);
  await writeFile(join(path, 'config.json'), config);
  await mkdir(join(path, 'sub'));
  await writeFile(join(path, 'sub', 'x.bin'), 'x');
  return path;
};
const picked = (...names: string[]) =>
  names.map((name) => new File([(name.endsWith('json') ? config : model) as BlobPart], name));
const inFolder = (file: File) =>
  Object.defineProperty(file, 'webkitRelativePath', { value: `my-model/${file.name}` });

describe('one checkpoint, however it is given', () => {
  const given: [string, () => Promise<SourceLike> | SourceLike][] = [
    ['a folder', folder],
    ['a file', async () => join(await folder(), 'model.safetensors')],
    ['the address of a folder', async () => pathToFileURL(`${await folder()}/`)],
    [
      'the address of a file as text',
      async () => pathToFileURL(join(await folder(), 'model.safetensors')).href,
    ],
    ['bytes', () => model],
    ['an ArrayBuffer', () => model.buffer],
    ['files in memory', () => ({ 'model.safetensors': model, 'config.json': '{}' })],
    ['a Blob', () => new Blob([model as BlobPart])],
    ['a File of another name', () => picked('weights.safetensors')[0]],
    ['picked files', () => picked('config.json', 'model.safetensors')],
    ['a picked folder', () => picked('config.json', 'model.safetensors').map(inFolder)],
    ['a Source', () => memorySource({ 'model.safetensors': model })],
  ];
  test.each(given)('%s', async (_, give) => {
    const checkpoint = await openCheckpoint(await give());
    expect(same((await checkpoint.read('big')).data, data)).toBe(true);
  });
});

describe('what each source answers', () => {
  const sources: [string, () => Promise<Source>][] = [
    ['folder', async () => folderSource(await folder())],
    ['files', async () => filesSource(picked('config.json', 'model.safetensors'))],
    ['memory', async () => memorySource({ 'model.safetensors': model, 'config.json': config })],
  ];
  test.each(sources)('%s', async (kind, open) => {
    const source = await open();
    expect(await source.size('config.json')).toBe(2);
    expect(await source.has('config.json')).toBe(true);
    expect(await source.has('none.json')).toBe(false);
    expect((await source.list?.())?.sort()).toEqual(['config.json', 'model.safetensors']);
    expect(same(await source.read('model.safetensors'), model)).toBe(true);
    let count = 0;
    const part = await source.read('model.safetensors', { start: 3, end: 2_000_003 }, undefined, (n) => {
      count += n;
    });
    expect(same(part, model.subarray(3, 2_000_003))).toBe(true);
    expect(count).toBe(2_000_000);
    expect((await source.read('config.json', { start: 1, end: 1 })).length).toBe(0);

    await expectError(source.read('none.json'), 'IO', /none\.json: no such file/);
    await expectError(source.size('none.json'), 'IO', /none\.json: no such file/);
    await expectError(
      source.read('config.json', { start: 1, end: 3 }),
      'CHECKPOINT_FORMAT',
      /ends at byte 2, but bytes 1 to 3/,
    );
    for (const [start, end] of [
      [-1, 1],
      [1, 0],
      [0, 0.5],
      [0, Number.NaN],
    ]) {
      await expectError(
        source.read('config.json', { start, end }),
        'INVALID_ARGUMENT',
        /is not a range of bytes/,
      );
    }
    for (const path of ['../x', '/etc/passwd', 'a\\b', '']) {
      await expectError(source.read(path), 'INVALID_ARGUMENT', /give one inside it/);
    }
    const reason = { my: 'reason' };
    const signal = AbortSignal.abort(reason);
    for (const call of [
      () => source.read('config.json', undefined, signal),
      () => source.size('config.json', signal),
      () => source.has('config.json', signal),
    ]) {
      expect((await expectError(call(), 'ABORTED', /aborted/)).cause).toBe(reason);
    }
    if (kind === 'folder') {
      await expectError(source.size('sub'), 'IO', /not a file/);
      expect(await source.has('sub')).toBe(false);
      expect((await source.read('sub/x.bin')).length).toBe(1);
    }
  });

  test('a folder aborts between pieces of 1 MiB', async () => {
    const controller = new AbortController();
    const source = folderSource(await folder());
    let count = 0;
    const reading = source.read('model.safetensors', undefined, controller.signal, (n) => {
      count += n;
      controller.abort();
    });
    await expectError(reading, 'ABORTED', /reading .*model\.safetensors/);
    expect(count).toBe(1 << 20);
  });

  test('a folder of links, as the Hugging Face cache has them', async () => {
    const real = await folder();
    const links = await temporaryFolder();
    await symlink(join(real, 'model.safetensors'), join(links, 'model.safetensors'));
    expect((await openCheckpoint(links)).tensors.size).toBe(1);
  });

  test('a file that cannot be opened', async () => {
    const path = await temporaryFolder();
    await symlink(join(path, 'loop'), join(path, 'loop'));
    await expectError(folderSource(path).size('loop'), 'IO', /ELOOP/);
    await expectError(folderSource(path).has('loop'), 'IO', /ELOOP/);
    await expectError(folderSource(join(path, 'none')).list?.() as Promise<unknown>, 'IO', /no such file/);
  });
});

describe('what is refused', () => {
  test.each<[string, unknown, string, RegExp]>([
    [
      'a path that does not exist',
      '/no/such/folder',
      'IO',
      /"\/no\/such\/folder": no such file or folder, and neither/,
    ],
    ['another kind of address', 'ftp://example.com/x', 'IO', /neither an http\(s\) address/],
    ['a number', 3, 'INVALID_ARGUMENT', /a checkpoint is opened from/],
    ['null', null, 'INVALID_ARGUMENT', /a checkpoint is opened from/],
    ['an empty list', [], 'INVALID_ARGUMENT', /a checkpoint is opened from/],
    ['a list of texts', ['a'], 'INVALID_ARGUMENT', /a checkpoint is opened from/],
    ['a record of numbers', { 'a.json': 1 }, 'INVALID_ARGUMENT', /a\.json: a file in memory is/],
    [
      'two files of one name',
      picked('a.json', 'a.json'),
      'INVALID_ARGUMENT',
      /two files are named "a\.json"/,
    ],
  ])('%s', async (_, from, code, message) => {
    await expectError(openSource(from as SourceLike), code, message);
  });
});

describe('in a browser', () => {
  afterEach(() => vi.unstubAllGlobals());
  const browser = () => {
    vi.stubGlobal('process', undefined);
    vi.stubGlobal('location', { href: 'https://example.com/app/index.html' });
  };

  test('a text is an address relative to the page, or a Hugging Face id', async () => {
    browser();
    expect((await openSource('/models/tiny')).name).toBe('https://example.com/models/tiny/');
    expect((await openSource('./w.safetensors')).entry).toBe('w.safetensors');
    expect((await openSource('../m/')).name).toBe('https://example.com/m/');
    const hub = (await openSource('a/b')) as HttpSource;
    // A page without a Cache API reads all the same.
    expect(hub).toBeInstanceOf(HttpSource);
    expect(hub.url('config.json')).toBe('https://huggingface.co/a/b/resolve/main/config.json');
    await expectError(openSource('model'), 'IO', /neither an http\(s\) address nor/);
  });

  test('paths say what to pass instead', () => {
    browser();
    expect(() => folderSource('/tmp')).toThrow(
      /need Node .* pass a URL, a Hugging Face id, File objects or bytes/,
    );
  });
});
