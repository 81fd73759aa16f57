/*
 * Writes src/kernels.generated.ts from the .wgsl files, so that tsc, vitest and any bundler see plain TypeScript:
 * `tsx scripts/inline-kernels.ts`, run by this package's build, types and test scripts. Comments and spaces go, and names
 * become short, the same ones in all files, and so do the declarations of bindings, until they are expanded; a line
 * `// use: a b` puts the files a.wgsl and b.wgsl in front.
 */
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = new URL('../src/kernels/', import.meta.url);
const target = fileURLToPath(new URL('../src/kernels.generated.ts', import.meta.url));

/**
 * WGSL without comments, with spaces only between two words, and numbers without what their neighbours say: an integer behind
 * an operator is of the other operand's type. Gzip does the rest.
 */
function minify(source: string): string {
  return source
    .replace(/\/\/.*$/gm, ' ')
    .replace(/\s+/g, ' ')
    .replace(/ ?([^\w ]) ?/g, '$1')
    .replace(/([=!<>]=|[-+*/%<>&|])(\d+)u\b/g, '$1$2')
    .replace(/\b(\d+\.)0\b(?!e)/g, '$1')
    .replace(/\b0(\.\d)/g, '$1')
    .trim();
}

/**
 * Short names for all that the sources declare, for each source, the most frequent first: the same in all sources for what is
 * declared outside functions or named in several, names of its own for the rest. Constants that the ops set stay; so does what is
 * one of WGSL's own words anywhere: called but not declared as a function, or part of an attribute.
 */
function shortNames(sources: readonly string[]): ReadonlyMap<string, string>[] {
  const text = sources.join(' ');
  const ops = readdirSync(new URL('../ops/', folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .map((file) => readFileSync(new URL(`../ops/${file}`, folder), 'utf8'));
  const all = (pattern: RegExp) => new Set([...text.matchAll(pattern)].map(([, name]) => name!));
  const functions = all(/\b(?:fn|struct) (\w+)/g);
  const declared = new Set([
    ...functions,
    ...all(/\b(?:let|var|const) (\w+)/g),
    ...all(/\bvar<[\w,]+>(\w+)/g),
    ...all(/(\w+):/g),
  ]);
  const words = new Set([
    'main',
    ...'function private workgroup uniform storage read read_write'.split(' '),
    ...all(/@(\w+)/g),
    ...all(/@builtin\((\w+)/g),
    ...all(/\benable (\w+)/g),
    ...[...all(/(\w+)\(/g)].filter((name) => !functions.has(name)),
    ...[...ops.join(' ').matchAll(/\b[A-Z][A-Z_0-9]*\b/g)].map(([name]) => name),
  ]);
  const counts = wordsOf(text);
  const long = [...declared].filter((name) => name.length > 2 && !words.has(name));
  const module = new Set([...functions, ...all(/\bconst (\w+)/g), ...all(/\bvar<[\w,]+>(\w+)/g)]);
  const own = (name: string) =>
    !module.has(name) && sources.filter((source) => wordsOf(source).has(name)).length === 1;
  const common = shortest(
    long.filter((name) => !own(name)),
    counts,
    new Set(counts.keys()),
  );
  const taken = [...common.values()];
  return sources.map((source) => {
    const inside = wordsOf(source);
    const names = long.filter((name) => own(name) && inside.has(name));
    return new Map([...common, ...shortest(names, inside, new Set([...inside.keys(), ...taken]))]);
  });
}

/** How often each word is there. */
function wordsOf(text: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const [word] of text.matchAll(/[A-Za-z_]\w*/g)) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

/** Names of one letter, then of two, that are not taken, for the most frequent first. */
function shortest(
  long: readonly string[],
  counts: ReadonlyMap<string, number>,
  taken: ReadonlySet<string>,
): ReadonlyMap<string, string> {
  const letters = 'abcdefghijklmnopqrstuvwxyz';
  const free = [
    ...letters,
    ...letters.toUpperCase(),
    ...[...letters].flatMap((a) => [...`${letters}0123456789`].map((b) => a + b)),
    // The last are words of WGSL, or reserved ones.
  ].filter((name) => !taken.has(name) && !['as', 'do', 'fn', 'if', 'in', 'is', 'of'].includes(name));
  const sorted = [...long].sort((a, b) => counts.get(b)! - counts.get(a)! || (a < b ? -1 : 1));
  return new Map(sorted.map((name, i) => [name, free[i]!]));
}

const identifier = (name: string) => name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());

const files = readdirSync(folder)
  .filter((file) => file.endsWith('.wgsl'))
  .map((file) => {
    const source = readFileSync(new URL(file, folder), 'utf8');
    const uses = /^\/\/ use: (.*)$/m.exec(source)?.[1]?.split(' ') ?? [];
    return { name: file.slice(0, -'.wgsl'.length), uses, code: minify(source) };
  });

const names = shortNames(files.map(({ code }) => code));
files.forEach((file, i) => {
  file.code = file.code.replace(/[A-Za-z_]\w*/g, (word) => names[i]!.get(word) ?? word);
});

const SPACES = { '<': 'storage,read', '>': 'storage,read_write', '=': 'uniform' };
for (const file of files) {
  for (const [sign, space] of Object.entries(SPACES))
    file.code = file.code.replace(
      new RegExp(`@group\\(0\\)@binding\\((\\d+)\\)var<${space}>`, 'g'),
      `$$$1${sign}`,
    );
}

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
  `const SPACES: Record<string, string> = ${JSON.stringify(SPACES)};`,
  'const full = (code: string) =>',
  "  code.replace(/\\$(\\d+)(.)/g, (_, at, sign) => '@group(0)@binding(' + at + ')var<' + SPACES[sign] + '>');",
  'export const KERNELS = {',
  ...ordered
    .filter(({ name }) => !files.some(({ uses }) => uses.includes(name)))
    .map(({ name }) => `  '${name}': full(${needs(name).map(identifier).join(' + ')}),`),
  '} as const;',
  '',
].join('\n');

// Only when it differs, and by renaming: builds, type checks and tests may run at once.
if (!existsSync(target) || readFileSync(target, 'utf8') !== text) {
  const temporary = `${target}.${process.pid}.tmp`;
  writeFileSync(temporary, text);
  renameSync(temporary, target);
}
