import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test, vi } from 'vitest';
import { type FixtureName, fixture, fixtureFolder } from './load.js';
import { readSafetensors, writeSafetensors } from './safetensors.js';

const folder = fileURLToPath(new URL('../../fixtures/', import.meta.url));
const NAMES: FixtureName[] = [
  'selective-scan',
  'causal-conv1d',
  'state-update',
  's4d',
  'mamba-block',
  'tiny-mamba',
];

afterEach(() => vi.unstubAllGlobals());

test.each(NAMES)('%s: every case has its tensors, each as large as its shape, and finite', async (name) => {
  const { cases, tensors, tensorsOf } = await fixture(name);
  expect(cases.length).toBeGreaterThan(0);
  for (const { name: own } of cases) if (cases.length > 1) expect(tensorsOf(own).size).toBeGreaterThan(3);
  for (const [key, { shape, data }] of tensors) {
    expect(data.length, key).toBe(shape.reduce((a, b) => a * b, 1));
    expect(data.every(Number.isFinite), key).toBe(true);
  }
});

test('the scan figures keep every form of the options', async () => {
  const { cases, tensors, tensorsOf } = await fixture('selective-scan');
  expect(cases.length).toBeGreaterThan(50);
  expect(new Set(cases.map(({ softplus }) => softplus))).toEqual(new Set([true, false]));
  for (const name of [
    'complex_var',
    'complex_grouped',
    'complex_const',
    'decay_underflow',
    'mamba130m_slice',
  ])
    expect(tensorsOf(name).get('backward.du'), name).toBeDefined();
  const shapes = new Set(
    [...tensors].filter(([key]) => key.endsWith('inputs.B')).map(([, b]) => b.shape.length),
  );
  expect(shapes).toEqual(new Set([2, 3, 4]));
});

test('a case that does not exist is an error, not an empty map', async () => {
  const { tensorsOf } = await fixture('s4d');
  expect(() => tensorsOf('s4d99_zoh')).toThrow('s4d99_zoh');
});

test('the language model is there in both namings', () => {
  for (const name of ['tiny-mamba', 'tiny-mamba-hf'] as const)
    for (const file of ['config.json', 'model.safetensors'])
      expect(existsSync(new URL(file, fixtureFolder(name))), `${name}/${file}`).toBe(true);
});

test('all of it stays under 3 MB', () => {
  const bytes = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((file) => statSync(folder + file))
    .reduce((sum, stat) => sum + (stat.isFile() ? stat.size : 0), 0);
  expect(bytes).toBeLessThan(3_000_000);
});

test('what is written is read back, at any alignment', () => {
  const tensors = new Map([
    ['ids', { shape: [3], dtype: 'i32' as const, data: Int32Array.of(-1, 2, 3) }],
    ['x', { shape: [1, 2], dtype: 'f64' as const, data: Float64Array.of(1 / 3, -0) }],
    ['empty', { shape: [2, 0], dtype: 'f32' as const, data: new Float32Array(0) }],
  ]);
  const bytes = writeSafetensors({ tensors, metadata: { cases: '[]' } });
  const shifted = new Uint8Array(bytes.length + 1);
  shifted.set(bytes, 1);
  const back = readSafetensors(shifted.subarray(1));
  expect(back.metadata).toEqual({ cases: '[]' });
  expect([...back.tensors]).toEqual([...tensors]);
});

test('in a browser, files come over fetch', async () => {
  const bytes = readFileSync(`${folder}/state-update.safetensors`);
  const asked: string[] = [];
  vi.stubGlobal('fetch', async (url: URL) => {
    asked.push(url.pathname);
    return url.pathname.endsWith('/state-update.safetensors')
      ? new Response(bytes)
      : new Response(null, { status: 404 });
  });
  const RealURL = URL;
  vi.stubGlobal(
    'URL',
    class extends RealURL {
      constructor(path: string, base: string) {
        super(path, base.replace(/^file:\/\//, 'https://example.org'));
      }
    },
  );
  expect((await fixture('state-update')).cases).toHaveLength(4);
  await expect(fixture('s4d')).rejects.toThrow('HTTP 404');
  expect(asked).toHaveLength(2);
});
