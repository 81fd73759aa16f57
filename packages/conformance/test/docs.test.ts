import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { OP_NAMES } from '../src/cases/families.js';

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');
const page = read('../../../docs/backends.md');

test('the backend in docs/backends.md is the one that is tested', () => {
  expect(page).toContain(`\`\`\`ts\n${read('./minimal-backend.ts')}\`\`\``);
});

test('docs/backends.md names every op', () => {
  const named = (op: string) => page.includes(`\`${op}\``) || op.endsWith('Backward');
  expect(OP_NAMES.filter((op) => !named(op))).toEqual([]);
});
