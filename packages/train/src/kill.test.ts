import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Random } from '@mamba-ts/ssm';
import { afterEach, beforeEach, expect, it } from 'vitest';

const child = fileURLToPath(new URL('../test/train-child.ts', import.meta.url));
const STEPS = 40;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mamba-ts-kill-'));
  await writeFile(join(folder, 'text.txt'), 'a man a plan a canal panama. '.repeat(20));
});
afterEach(() => rm(folder, { recursive: true }));

const metrics = (out: string) => readFile(join(out, 'metrics.jsonl'), 'utf8').catch(() => '');

/**
 * Trains in a process of its own. It is killed `delay` ms after its metrics had so many lines.
 * @returns whether that was before its end
 */
async function trainInChild(out: string, kill?: { lines: number; delay: number }): Promise<boolean> {
  const options = {
    out,
    resume: true,
    task: 'text',
    data: join(folder, 'text.txt'),
    dModel: 8,
    layers: 1,
    model: { dState: 4 },
    batch: 2,
    length: 16,
    accumulate: 2,
    steps: STEPS,
    evalEvery: 7,
    evalSize: 30,
    saveEvery: 2,
  };
  const process_ = spawn(
    process.execPath,
    ['--conditions=@mamba-ts/source', '--import', 'tsx', child, JSON.stringify(options)],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let errors = '';
  process_.stderr.on('data', (data) => {
    errors += data;
  });
  const ended = new Promise<NodeJS.Signals | number | null>((resolve) => {
    process_.on('exit', (status, signal) => resolve(signal ?? status));
  });
  let running = true;
  void ended.then(() => {
    running = false;
  });
  while (kill && running) {
    if ((await metrics(out)).split('\n').length > kill.lines) {
      await new Promise((resolve) => setTimeout(resolve, kill.delay));
      process_.kill('SIGKILL');
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const how = await ended;
  expect(how === 'SIGKILL' || how === 0, `ended with ${how}: ${errors}`).toBe(true);
  return how === 'SIGKILL';
}

it('a run that is killed again and again gives the figures of one that never is', async () => {
  const [whole, killed] = [join(folder, 'whole'), join(folder, 'killed')];
  await trainInChild(whole);
  const random = new Random(Date.now() % 1e6);
  let kills = 0;
  for (const lines of [1, 24]) {
    const early = await trainInChild(killed, { lines: lines + random.int(5), delay: random.int(12) });
    if (early) kills++;
  }
  expect(kills).toBeGreaterThan(0);
  await trainInChild(killed);

  const figures = async (out: string) => {
    const content = await metrics(out);
    expect(content.endsWith('\n')).toBe(true);
    return content
      .trim()
      .split('\n')
      .map((line) => {
        const { tokensPerSecond, elapsed, ...rest } = JSON.parse(line) as Record<string, number>;
        return rest;
      });
  };
  const expected = await figures(whole);
  expect(expected.filter(({ loss }) => loss !== undefined).map(({ step }) => step)).toEqual(
    Array.from({ length: STEPS }, (_, i) => i + 1),
  );
  expect(await figures(killed)).toEqual(expected);
  const last = `step-${String(STEPS).padStart(8, '0')}`;
  for (const file of [
    'model.safetensors',
    `checkpoints/${last}/model.safetensors`,
    `checkpoints/${last}/optimizer.safetensors`,
  ]) {
    expect(Buffer.compare(await readFile(join(killed, file)), await readFile(join(whole, file))), file).toBe(
      0,
    );
  }
});
