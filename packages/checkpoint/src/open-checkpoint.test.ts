import { describe, expect, test } from 'vitest';
import { expectError, file, pattern, same } from '../test/helpers.js';
import { encodeSafetensors } from './encode.js';
import { openCheckpoint, type Progress } from './open-checkpoint.js';
import type { ByteRange, Source } from './source.js';
import { filesSource } from './sources/files.js';
import { memorySource } from './sources/memory.js';

const f32 = (...values: number[]) =>
  ({ dtype: 'f32', shape: [values.length], data: Float32Array.from(values) }) as const;
const index = (weightMap: unknown) => JSON.stringify({ metadata: { total_size: 1 }, weight_map: weightMap });

const SHARDED = {
  'model.safetensors.index.json': index({
    a: 'one.safetensors',
    b: 'one.safetensors',
    c: 'parts/two.safetensors',
  }),
  'one.safetensors': encodeSafetensors(
    { a: f32(1), b: f32(2, 3), hidden: f32(0) },
    { format: 'pt', shard: '1' },
  ),
  'parts/two.safetensors': encodeSafetensors({ c: f32(4, 5, 6) }, { shard: '2', other: 'x' }),
};

/** A source that notes what is asked of it. */
function recording(source: Source): Source & { reads: { path: string; range: ByteRange | undefined }[] } {
  const reads: { path: string; range: ByteRange | undefined }[] = [];
  return {
    ...source,
    reads,
    read(path, range, signal, onBytes) {
      reads.push({ path, range });
      return source.read(path, range, signal, onBytes);
    },
  };
}

describe('openCheckpoint', () => {
  test('reads the length, the header, and of the data what is asked for', async () => {
    const bytes = encodeSafetensors({ a: f32(1, 2), b: f32(3) });
    const source = recording(memorySource({ 'model.safetensors': bytes }));
    const checkpoint = await openCheckpoint(source);
    const dataStart = bytes.length - 12;
    const opening = [
      { path: 'model.safetensors', range: { start: 0, end: 8 } },
      { path: 'model.safetensors', range: { start: 8, end: dataStart } },
    ];
    expect(source.reads).toEqual(opening);
    expect((await checkpoint.read('b')).data).toEqual(Float32Array.of(3));
    expect(source.reads).toEqual([
      ...opening,
      { path: 'model.safetensors', range: { start: dataStart + 8, end: dataStart + 12 } },
    ]);
  });

  test('shards', async () => {
    const checkpoint = await openCheckpoint(SHARDED);
    expect(checkpoint.files).toEqual(['one.safetensors', 'parts/two.safetensors']);
    // The index decides what is in the checkpoint.
    expect([...checkpoint.tensors.keys()]).toEqual(['a', 'b', 'c']);
    expect(checkpoint.tensors.get('c')?.file).toBe('parts/two.safetensors');
    expect((await checkpoint.read('c')).data).toEqual(Float32Array.of(4, 5, 6));
    expect((await checkpoint.read('b')).data).toEqual(Float32Array.of(2, 3));
    expect({ ...checkpoint.metadata }).toEqual({ format: 'pt', shard: '1', other: 'x' });
  });

  const malformed: [string, Record<string, string | Uint8Array>, RegExp, Record<string, unknown>][] = [
    [
      'a missing shard',
      { 'one.safetensors': undefined as never },
      /names the file "one\.safetensors" \(tensor "a"\), which is not there/,
      { tensor: 'a' },
    ],
    [
      'a tensor that is not in its shard',
      { 'model.safetensors.index.json': index({ a: 'one.safetensors', d: 'one.safetensors' }) },
      /puts tensor "d" into "one\.safetensors", which has none of that name/,
      { tensor: 'd' },
    ],
    [
      'a tensor that is in another shard',
      { 'model.safetensors.index.json': index({ a: 'one.safetensors', b: 'parts/two.safetensors' }) },
      /puts tensor "b" into "parts\/two\.safetensors"/,
      { tensor: 'b' },
    ],
    [
      'no weight_map',
      { 'model.safetensors.index.json': '{"metadata":{}}' },
      /weight_map is not an object/,
      {},
    ],
    ['a list', { 'model.safetensors.index.json': '[]' }, /weight_map is not an object/, {}],
    [
      'a weight_map of a list',
      { 'model.safetensors.index.json': index(['a']) },
      /weight_map is not an object/,
      {},
    ],
    [
      'broken JSON',
      { 'model.safetensors.index.json': '{"weight_map":{"a":' },
      /an end where a value should be at byte 19/,
      { offset: 19 },
    ],
    [
      'a name twice',
      { 'model.safetensors.index.json': '{"weight_map":{"a":"x","a":"y"}}' },
      /the name "a" a second time/,
      {},
    ],
    [
      'a shard that is no text',
      { 'model.safetensors.index.json': index({ a: 1 }) },
      /the file 1 of tensor "a" is not a string/,
      { tensor: 'a' },
    ],
    ...[
      ['../../etc/passwd', 'has an empty, "." or ".." part'],
      ['parts/../../x', 'has an empty, "." or ".." part'],
      ['./one.safetensors', 'has an empty, "." or ".." part'],
      ['parts//two.safetensors', 'has an empty, "." or ".." part'],
      ['parts/', 'has an empty, "." or ".." part'],
      ['/etc/passwd', 'is absolute'],
      ['C:/Windows/win.ini', 'is absolute'],
      ['file:///etc/passwd', 'is absolute'],
      ['https://example.com/x.safetensors', 'is absolute'],
      ['..\\..\\etc\\passwd', 'has a backslash'],
      ['one.safetensors\0', 'null character'],
      ['', 'is empty'],
    ].map(
      ([path, reason]) =>
        [
          `the path ${JSON.stringify(path)}`,
          { 'model.safetensors.index.json': index({ a: path }) },
          new RegExp(reason),
          { tensor: 'a' },
        ] as [string, Record<string, string>, RegExp, Record<string, unknown>],
    ),
  ];
  test.each(malformed)('an index with %s is refused', async (_, change, message, details) => {
    const files = Object.fromEntries(
      Object.entries({ ...SHARDED, ...change }).filter(([, content]) => content !== undefined),
    );
    const error = await expectError(openCheckpoint(files), 'CHECKPOINT_FORMAT', message);
    expect(error.message).toMatch(/^model\.safetensors\.index\.json: /);
    expect(error.details).toMatchObject(details);
  });

  test('a malformed shard is named', async () => {
    const files = { ...SHARDED, 'parts/two.safetensors': file('{', 0) };
    await expectError(openCheckpoint(files), 'CHECKPOINT_FORMAT', /^parts\/two\.safetensors: /);
  });

  test('a tensor named __proto__ in an index', async () => {
    const one = encodeSafetensors([['__proto__', f32(7)]]);
    const checkpoint = await openCheckpoint({
      'model.safetensors.index.json': '{"weight_map":{"__proto__":"one.safetensors"}}',
      'one.safetensors': one,
    });
    expect((await checkpoint.read('__proto__')).data).toEqual(Float32Array.of(7));
  });

  describe('which file', () => {
    const model = encodeSafetensors({ a: f32(1) });
    test('model.safetensors comes before an index', async () => {
      expect((await openCheckpoint({ ...SHARDED, 'model.safetensors': model })).files).toEqual([
        'model.safetensors',
      ]);
    });
    test('a lone file or index of another name', async () => {
      expect((await openCheckpoint({ 'weights.safetensors': model, 'config.json': '{}' })).files).toEqual([
        'weights.safetensors',
      ]);
      const { 'model.safetensors.index.json': json, ...shards } = SHARDED;
      expect((await openCheckpoint({ ...shards, 'w.safetensors.index.json': json })).files).toHaveLength(2);
    });
    test('the one that the source points at', async () => {
      const source = {
        ...memorySource({ 'model.safetensors': model, 'other.safetensors': model }),
        entry: 'other.safetensors',
      };
      expect((await openCheckpoint(source)).files).toEqual(['other.safetensors']);
    });
    test('an index in a folder names files beside it', async () => {
      const inside = Object.fromEntries(
        Object.entries(SHARDED).map(([path, content]) => [`deep/${path}`, content]),
      );
      const source = { ...memorySource(inside), entry: 'deep/model.safetensors.index.json' };
      expect((await openCheckpoint(source)).files).toEqual([
        'deep/one.safetensors',
        'deep/parts/two.safetensors',
      ]);
    });
    test('two of other names', async () => {
      await expectError(
        openCheckpoint({ 'x.safetensors': model, 'y.safetensors': model }),
        'CHECKPOINT_FORMAT',
        /2 files \*\.safetensors \(\["x\.safetensors","y\.safetensors"\]\); point at one/,
      );
    });
    test('none, or only a pickle', async () => {
      await expectError(
        openCheckpoint({ 'config.json': '{}' }),
        'CHECKPOINT_FORMAT',
        /neither model\.safetensors nor/,
      );
      await expectError(
        openCheckpoint({ 'pytorch_model.bin': 'x' }),
        'CHECKPOINT_FORMAT',
        /pickle, .* convert it/,
      );
    });
  });

  test('a tensor that is not there', async () => {
    const { read } = await openCheckpoint(SHARDED);
    await expectError(read('nope'), 'INVALID_ARGUMENT', /memory has no tensor "nope"; it has 3 others/);
  });

  test('a source that gives less than was asked for', async () => {
    const bytes = encodeSafetensors({ a: f32(1, 2) });
    const whole = memorySource({ 'model.safetensors': bytes });
    let short = false;
    const source: Source = {
      ...whole,
      read: async (...args) => (await whole.read(...args)).subarray(0, short ? 5 : undefined),
    };
    const { read } = await openCheckpoint(source);
    short = true;
    await expectError(
      read('a'),
      'CHECKPOINT_FORMAT',
      /model\.safetensors: bytes .* were asked for, 5 came: truncated\?/,
    );
  });

  describe('progress', () => {
    test('rises to the size of the files and counts every tensor once', async () => {
      const events: Progress[] = [];
      const checkpoint = await openCheckpoint(SHARDED, { onProgress: (event) => events.push(event) });
      for (const name of ['b', 'a', 'a', 'c', 'b']) await checkpoint.read(name);
      const total = SHARDED['one.safetensors'].length + SHARDED['parts/two.safetensors'].length;
      expect(new Set(events.map((event) => event.total))).toEqual(new Set([total]));
      const loaded = events.map((event) => event.loaded);
      expect(loaded).toEqual([...loaded].sort((x, y) => x - y));
      // All but the tensor that the index leaves out.
      expect(loaded.at(-1)).toBe(total - 4);
      expect(events.map(({ phase, file }) => `${phase} ${file}`)).toEqual([
        'header one.safetensors',
        'header parts/two.safetensors',
        'weights one.safetensors',
        'weights one.safetensors',
        'weights parts/two.safetensors',
      ]);
    });

    test('a read that was aborted and is done again counts once', async () => {
      const bytes = encodeSafetensors({ big: { dtype: 'u8', shape: [3 << 20], data: pattern(3 << 20) } });
      const events: Progress[] = [];
      const first = new AbortController();
      const checkpoint = await openCheckpoint(new Blob([bytes as BlobPart]), {
        onProgress: (event) => {
          events.push(event);
          if (event.phase === 'weights') first.abort();
        },
      });
      await expectError(
        checkpoint.read('big', { signal: first.signal }),
        'ABORTED',
        /reading model\.safetensors/,
      );
      expect(same((await checkpoint.read('big')).data, pattern(3 << 20))).toBe(true);
      const loaded = events.map((event) => event.loaded);
      expect(loaded).toEqual([...loaded].sort((x, y) => x - y));
      expect(loaded.at(-1)).toBe(bytes.length);
    });
  });

  describe('abort', () => {
    const MIB = 1 << 20;
    const bytes = encodeSafetensors({ big: { dtype: 'u8', shape: [8 * MIB], data: pattern(8 * MIB) } });

    test('before opening', async () => {
      const reason = new Error('enough');
      const opening = openCheckpoint(bytes, { signal: AbortSignal.abort(reason) });
      expect((await expectError(opening, 'ABORTED', /aborted/)).cause).toBe(reason);
    });

    test('while reading: within one piece of 1 MiB', async () => {
      const controller = new AbortController();
      let asked = 0;
      const blob = new Blob([bytes as BlobPart]);
      const slice = blob.slice.bind(blob);
      blob.slice = (start = 0, end = 0) => {
        asked += end - start;
        if (asked > 2 * MIB) controller.abort('stop');
        return slice(start, end);
      };
      const checkpoint = await openCheckpoint(filesSource([blob]), { signal: controller.signal });
      const error = await expectError(checkpoint.read('big'), 'ABORTED', /reading model\.safetensors/);
      expect(error.cause).toBe('stop');
      expect(asked).toBeLessThan(4 * MIB);
    });

    test('one read alone', async () => {
      const checkpoint = await openCheckpoint(bytes, { signal: new AbortController().signal });
      await expectError(checkpoint.read('big', { signal: AbortSignal.abort() }), 'ABORTED', /aborted/);
      expect((await checkpoint.read('big')).data.length).toBe(8 * MIB);
    });
  });
});
