import { expect, test } from 'vitest';
import { markdown, type Report } from './report.js';

const report: Report = {
  date: '2026-01-02T03:04:05.000Z',
  machine: {
    node: 'v24.1.0',
    platform: 'linux x64',
    processor: 'Some Processor',
    cores: 8,
    memoryBytes: 16 * 2 ** 30,
    backends: [
      { name: 'webgpu', available: false, detail: 'no GPU' },
      { name: 'wasm', available: true, detail: 'WebAssembly, 8 threads' },
      { name: 'cpu', available: true, detail: 'plain TypeScript' },
    ],
  },
  rows: [
    {
      ...{ case: 'decode', shape: '130m', dtype: 'int8', backend: 'wasm', threads: 8 },
      ...{ value: 123.456, unit: 'tokens/s', limit: 246.912, share: 0.5 },
    },
    {
      ...{ case: 'prefill', shape: '130m', dtype: 'f32', backend: 'wasm', threads: 8 },
      ...{ value: 1234.5, unit: 'tokens/s', limit: null, share: null },
    },
  ],
};

test('a row for each figure, with its share of the limit where there is one', () => {
  const page = markdown(report);
  expect(page).toContain('| decode | 130m | int8 | wasm | 8 | 123 | tokens/s | 50 % of 247 |');
  expect(page).toContain('| prefill | 130m | f32 | wasm | 8 | 1,235 | tokens/s |  |');
  expect(page).toContain(
    '2026-01-02T03:04:05.000Z, Node 24.1.0 on linux x64, Some Processor, 8 cores, 16.0 GiB.',
  );
});

test('every backend is accounted for', () => {
  const page = markdown(report);
  expect(page).toContain('- **webgpu** (not on this machine): no GPU');
  expect(page).toContain('- **wasm**: WebAssembly, 8 threads');
  expect(page).toContain('- **cpu** (not measured): plain TypeScript');
});
