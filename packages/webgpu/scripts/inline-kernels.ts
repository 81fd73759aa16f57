/*
 * Writes src/kernels.generated.ts from the .wgsl files, so that tsc, vitest and any bundler see plain TypeScript:
 * `tsx scripts/inline-kernels.ts`, run by this package's build, types and test scripts. Comments and spaces go; a line
 * `// use: a b` puts the files a.wgsl and b.wgsl in front.
 */
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = new URL('../src/kernels/', import.meta.url);
const target = fileURLToPath(new URL('../src/kernels.generated.ts', import.meta.url));

/** WGSL without comments, and with spaces only between two words. Enough: gzip does the rest. */
function minify(source: string): string {
  return source
    .replace(/\/\/.*$/gm, ' ')
    .replace(/\s+/g, ' ')
    .replace(/ ?([^\w ]) ?/g, '$1')
    .trim();
}

const identifier = (name: string) => name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());

const files = readdirSync(folder)
  .filter((file) => file.endsWith('.wgsl'))
  .map((file) => {
    const source = readFileSync(new URL(file, folder), 'utf8');
    const uses = /^\/\/ use: (.*)$/m.exec(source)?.[1]?.split(' ') ?? [];
    return { name: file.slice(0, -'.wgsl'.length), uses, code: minify(source) };
  });

// What others use comes first: the constants of a module are initialised in order.
const ordered: typeof files = [];
const place = (name: string) => {
  const file = files.find((one) => one.name === name);
  if (file === undefined) throw new Error(`there is no kernel file ${name}.wgsl`);
  if (ordered.includes(file)) return;
  file.uses.forEach(place);
  ordered.push(file);
};
for (const { name } of files) place(name);

const needs = (name: string): string[] => {
  const { uses } = files.find((one) => one.name === name)!;
  return [...new Set([...uses.flatMap(needs), name])];
};
const text = [
  '// Written by scripts/inline-kernels.ts from src/kernels/*.wgsl. Not to be edited.',
  ...ordered.map(({ name, code }) => `const ${identifier(name)} = ${JSON.stringify(code)};`),
  'export const KERNELS = {',
  ...ordered.map(({ name }) => `  '${name}': ${needs(name).map(identifier).join(' + ')},`),
  '} as const;',
  '',
].join('\n');

// Only when it differs, and by renaming: builds, type checks and tests may run at once.
if (!existsSync(target) || readFileSync(target, 'utf8') !== text) {
  const temporary = `${target}.${process.pid}.tmp`;
  writeFileSync(temporary, text);
  renameSync(temporary, target);
}
