import { spawn } from 'node:child_process';
import { mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { expectError, pattern, same, temporaryFolder } from '../test/helpers.js';
import { encodeSafetensors, type TensorInput } from './encode.js';
import { openCheckpoint, type Progress } from './open-checkpoint.js';
import { writeCheckpoint, writeSafetensors } from './write.js';
import { writeFileAtomic } from './write-file-atomic.js';

const u8 = (length: number, seed = 1): TensorInput => ({
  dtype: 'u8',
  shape: [length],
  data: pattern(length, seed),
});
const tensors = {
  a: u8(1000),
  b: u8(2000),
  c: { dtype: 'f64', shape: [], data: Float64Array.of(1) } as TensorInput,
};

describe('writeSafetensors', () => {
  test('writes what encodeSafetensors gives', async () => {
    const path = join(await temporaryFolder(), 'x.safetensors');
    await writeSafetensors(path, tensors, { format: 'pt' });
    expect(same(await readFile(path), encodeSafetensors(tensors, { format: 'pt' }))).toBe(true);
  });

  test('asks for data when its turn comes, one tensor at a time', async () => {
    const path = join(await temporaryFolder(), 'x.safetensors');
    let waiting = 0;
    const lazy = Object.entries(tensors).map(([name, { data, ...rest }]) => {
      const give = async () => {
        expect(++waiting).toBe(1);
        await new Promise((resolve) => setTimeout(resolve, 1));
        waiting--;
        return data;
      };
      return [name, { ...rest, data: give }] as const;
    });
    const events: Progress[] = [];
    await writeSafetensors(path, lazy, {}, { onProgress: (event) => events.push(event) });
    expect(same(await readFile(path), encodeSafetensors(tensors))).toBe(true);
    expect(events.map(({ loaded }) => loaded)).toEqual([8, 1008, 3008]);
    expect(events[0]).toEqual({ phase: 'write', file: 'x.safetensors', loaded: 8, total: 3008 });
  });

  test('what fails leaves the old file and nothing else', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'x.safetensors');
    await writeSafetensors(path, tensors);
    const before = await readFile(path);
    const broken = (data: unknown) =>
      writeSafetensors(path, { a: u8(9), z: { dtype: 'u8', shape: [1], data: data as never } });
    await expectError(
      broken(() => Uint8Array.of(1, 2)),
      'SHAPE',
      /tensor "z"/,
    );
    await expectError(
      broken(() => Int8Array.of(1)),
      'DTYPE',
      /tensor "z"/,
    );
    await expect(broken(() => Promise.reject(new Error('device lost')))).rejects.toThrow('device lost');
    const controller = new AbortController();
    const reason = new Error('stop');
    const abortAndGive = () => {
      controller.abort(reason);
      return pattern(9 << 20);
    };
    const aborted = writeSafetensors(
      path,
      {
        a: u8(9),
        z: { dtype: 'u8', shape: [9 << 20], data: abortAndGive },
      },
      {},
      { signal: controller.signal },
    );
    expect((await expectError(aborted, 'ABORTED', /writing .*x\.safetensors was aborted/)).cause).toBe(
      reason,
    );
    expect(same(await readFile(path), before)).toBe(true);
    expect(await readdir(folder)).toEqual(['x.safetensors']);
  });

  test('a folder that is not there, a path that is a folder', async () => {
    const folder = await temporaryFolder();
    await expectError(writeSafetensors(join(folder, 'no', 'x'), tensors), 'IO', /no\/x: no such file/);
    await mkdir(join(folder, 'sub'));
    await expectError(writeSafetensors(join(folder, 'sub'), tensors), 'IO', /sub: /);
    expect(await readdir(folder)).toEqual(['sub']);
  });
});

describe('writeFileAtomic', () => {
  test('bytes, text, nothing; over an old file', async () => {
    const path = join(await temporaryFolder(), 'state.json');
    for (const content of ['{"step":1}', new Uint8Array(3 << 20).fill(7), '', 'é']) {
      await writeFileAtomic(path, content);
      expect(same(await readFile(path), Buffer.from(content as string))).toBe(true);
    }
  });

  test('many at once: one of them wins, whole', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'x');
    const contents = Array.from({ length: 20 }, (_, i) => pattern(100_000, i));
    await Promise.all(contents.map((content) => writeFileAtomic(path, content)));
    const written = await readFile(path);
    expect(contents.some((content) => same(content, written))).toBe(true);
    expect(await readdir(folder)).toEqual(['x']);
  });

  test('sweeps up what killed processes left of the same file, and only that', async () => {
    const folder = await temporaryFolder();
    const names = {
      // No process has a number this large.
      dead: '.x.99999999.aaaaaaaa.tmp',
      old: `.x.${process.pid}.bbbbbbbb.tmp`,
      alive: `.x.${process.pid}.cccccccc.tmp`,
      other: '.y.99999999.dddddddd.tmp',
      own: '.x.notes',
    };
    for (const name of Object.values(names)) await writeFile(join(folder, name), 'x');
    await utimes(join(folder, names.old), 0, 0);
    await writeFileAtomic(join(folder, 'x'), 'new');
    expect((await readdir(folder)).sort()).toEqual([names.alive, names.own, names.other, 'x'].sort());
  });

  test('aborted before it begins', async () => {
    const folder = await temporaryFolder();
    await expectError(writeFileAtomic(join(folder, 'x'), 'new', AbortSignal.abort()), 'ABORTED', /writing/);
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('writeCheckpoint', () => {
  const names = async (folder: string) => (await readdir(folder)).sort();
  const check = async (folder: string, seed: number) => {
    const { tensors, read } = await openCheckpoint(folder);
    for (const [name, { bytes }] of tensors)
      expect(same((await read(name)).data, pattern(bytes, seed))).toBe(true);
    return [...tensors.keys()];
  };
  const four = (seed: number) => ({ a: u8(100, seed), b: u8(200, seed), c: u8(900, seed), d: u8(50, seed) });

  test('one file where it fits', async () => {
    const folder = join(await temporaryFolder(), 'new', 'folder');
    await writeCheckpoint(folder, four(1), { metadata: { format: 'pt' } });
    expect(await names(folder)).toEqual(['model.safetensors']);
    expect(await check(folder, 1)).toEqual(['a', 'b', 'c', 'd']);
    expect((await openCheckpoint(folder)).metadata.format).toBe('pt');
  });

  test('shards where it does not; a tensor is never cut', async () => {
    const folder = await temporaryFolder();
    const events: Progress[] = [];
    await writeCheckpoint(folder, four(1), { maxShardBytes: 300, onProgress: (event) => events.push(event) });
    expect(await names(folder)).toEqual([
      'model-00001-of-00003.safetensors',
      'model-00002-of-00003.safetensors',
      'model-00003-of-00003.safetensors',
      'model.safetensors.index.json',
    ]);
    expect(JSON.parse(await readFile(join(folder, 'model.safetensors.index.json'), 'utf8'))).toEqual({
      metadata: { total_size: 1250 },
      weight_map: {
        a: 'model-00001-of-00003.safetensors',
        b: 'model-00001-of-00003.safetensors',
        c: 'model-00002-of-00003.safetensors',
        d: 'model-00003-of-00003.safetensors',
      },
    });
    expect(await check(folder, 1)).toEqual(['a', 'b', 'c', 'd']);
    expect(events.at(-1)).toEqual({
      phase: 'write',
      file: 'model-00003-of-00003.safetensors',
      loaded: 1250,
      total: 1250,
    });
  });

  test('one form replaces the other, and nothing of the old stays', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'config.json'), '{}');
    for (const [i, maxShardBytes] of [1e9, 300, 300, 1000, 1e9].entries()) {
      await writeCheckpoint(folder, four(i), { maxShardBytes });
      expect(await check(folder, i)).toEqual(['a', 'b', 'c', 'd']);
      const files = await names(folder);
      expect(files).toHaveLength(1 + [1, 4, 4, 3, 1][i]);
      expect(files.includes('model.safetensors')).toBe(maxShardBytes === 1e9);
    }
    expect(await names(folder)).toEqual(['config.json', 'model.safetensors']);
  });

  test('what fails half-way leaves the old checkpoint', async () => {
    const folder = await temporaryFolder();
    await writeCheckpoint(folder, four(1), { maxShardBytes: 300 });
    const failing = { ...four(2), d: { ...u8(50), data: () => Uint8Array.of(1) } };
    await expectError(writeCheckpoint(folder, failing, { maxShardBytes: 300 }), 'SHAPE', /tensor "d"/);
    expect(await check(folder, 1)).toEqual(['a', 'b', 'c', 'd']);
    await writeCheckpoint(folder, four(3), { maxShardBytes: 300 });
    expect(await check(folder, 3)).toEqual(['a', 'b', 'c', 'd']);
    expect(await names(folder)).toHaveLength(4);
  });

  test('bad arguments', async () => {
    const folder = await temporaryFolder();
    for (const maxShardBytes of [0, -1, Number.NaN]) {
      await expectError(
        writeCheckpoint(folder, four(1), { maxShardBytes }),
        'INVALID_ARGUMENT',
        /maxShardBytes/,
      );
    }
    await writeFile(join(folder, 'file'), 'x');
    await expectError(writeCheckpoint(join(folder, 'file'), four(1)), 'IO', /file/);
  });
});

test('a process killed while it writes leaves the old checkpoint or the new one, whole', async () => {
  const folder = await temporaryFolder();
  let interrupted = 0;
  for (let round = 0; round < 8; round++) {
    const script = join(import.meta.dirname, '..', 'test', 'write-for-ever.ts');
    const node = ['--conditions=@mamba-ts/source', '--import', 'tsx', script, folder, String(round * 1000)];
    const child = spawn(process.execPath, node, { stdio: ['ignore', 'pipe', 'inherit'] });
    const dead = new Promise((resolve) => child.once('exit', resolve));
    await new Promise((resolve, reject) => {
      child.stdout.once('data', resolve);
      child.once('exit', () => reject(new Error('the writer ended')));
    });
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 100));
    child.kill('SIGKILL');
    await dead;
    if ((await readdir(folder)).some((name) => name.endsWith('.tmp'))) interrupted++;

    // Every tensor is of one generation, and of this round's.
    const { tensors, read } = await openCheckpoint(folder);
    const generations = new Set<number>();
    for (const name of tensors.keys()) {
      const data = (await read(name)).data as Uint32Array;
      generations.add(data[0]);
      expect(same(data, new Uint32Array(data.length).fill(data[0]))).toBe(true);
    }
    expect(tensors.size).toBe(4);
    expect(generations.size).toBe(1);
    expect(Math.floor([...generations][0] / 1000)).toBe(round);
  }
  // The test means something only if it struck in the middle of a write.
  expect(interrupted).toBeGreaterThan(0);
  await writeCheckpoint(folder, tensors);
  expect(await readdir(folder)).toContain('model.safetensors');
  expect((await stat(join(folder, 'model.safetensors'))).size).toBe(encodeSafetensors(tensors).length);
});
