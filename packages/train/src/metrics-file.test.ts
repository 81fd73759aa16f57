import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { MetricsFile } from './metrics-file.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mamba-ts-metrics-'));
});
afterEach(() => rm(folder, { recursive: true }));

it('cuts at the first line that is refused or torn, and appends', async () => {
  const path = join(folder, 'metrics.jsonl');
  const upTo = (step: number) => (line: Record<string, unknown>) => (line['step'] as number) <= step;
  for (const [before, step, kept] of [
    ['', 9, ''],
    ['{"step":1}\n{"step":2}\n', 9, '{"step":1}\n{"step":2}\n'],
    ['{"step":1}\n{"step":2}\n{"step":3}\n', 2, '{"step":1}\n{"step":2}\n'],
    ['{"step":1}\n{"step":2}\n', 0, ''],
    ['{"step":1}\n{"ste', 9, '{"step":1}\n'],
    ['{"step":1}\n{"step":2}', 9, '{"step":1}\n'],
    ['{"step":1}\n{"st\n{"step":2}\n', 9, '{"step":1}\n'],
    ['{"step":1,"é":"\u{1f40d}"}\n3\n', 9, '{"step":1,"é":"\u{1f40d}"}\n'],
  ] as const) {
    await writeFile(path, before);
    const file = await MetricsFile.open(path, upTo(step));
    await file.append({ step: 7 });
    await file.append({ step: 8 });
    await file.sync();
    await file.close();
    expect(await readFile(path, 'utf8')).toBe(`${kept}{"step":7}\n{"step":8}\n`);
  }
});

it('makes the file if it is missing', async () => {
  const path = join(folder, 'metrics.jsonl');
  await (await MetricsFile.open(path, () => true)).close();
  expect(await readFile(path, 'utf8')).toBe('');
});
