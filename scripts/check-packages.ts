/*
 * What a user gets from npm, checked before it is published: each package is packed, judged by publint and attw, then a
 * strict TypeScript project installs each tarball alone (with the tarballs of what it depends on), imports it, compiles,
 * runs and is bundled for a browser; and a project that is the code of the package's README compiles and runs. A package
 * that promises a size (`maxGzipBytes` in its package.json) keeps it.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { root, workspacePackages } from './workspace.js';

const work = mkdtempSync(join(tmpdir(), 'mamba-ts-pack-'));
const packages = workspacePackages().filter(({ manifest }) => !manifest.private);
const tarballs = new Map<string, string>();
const failures: string[] = [];
/** Their README's code compiles; but it runs in vitest, or on a GPU. */
const NOT_RUN = new Set(['@mamba-ts/conformance', '@mamba-ts/webgpu']);

function run(command: string, args: string[], cwd: string): { ok: boolean; output: string } {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  return { ok: status === 0, output: `${stdout}${stderr}` };
}

function check(what: string, { ok, output }: { ok: boolean; output: string }): void {
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${what}`);
  if (!ok) failures.push(`${what}\n${output}`);
}

try {
  for (const { folder, manifest } of packages) {
    const packed = JSON.parse(
      execFileSync('pnpm', ['pack', '--json', '--pack-destination', work], { cwd: folder, encoding: 'utf8' }),
    );
    tarballs.set(manifest.name, packed.filename);
  }
  for (const { folder, manifest } of packages) {
    const tarball = tarballs.get(manifest.name) as string;
    check(`publint ${manifest.name}`, run('publint', ['run', tarball, '--strict'], folder));
    check(`attw ${manifest.name}`, run('attw', [tarball, '--profile', 'esm-only'], root));
  }
  for (const { folder, manifest } of packages) {
    check(`consumer of ${manifest.name}`, consume(manifest.name));
    check(`README of ${manifest.name}`, followReadme(folder, manifest.name));
    if (manifest.maxGzipBytes) measure(folder, manifest.name, manifest.maxGzipBytes);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** A strict project of its own, outside the workspace, that knows our packages only by their tarballs. */
function project(folder: string, names: readonly string[], types: readonly string[], code: string) {
  mkdirSync(folder);
  const overrides = Object.fromEntries([...tarballs].map(([key, file]) => [key, `file:${file}`]));
  const json = (file: string, value: unknown) => writeFileSync(join(folder, file), JSON.stringify(value));
  json('package.json', {
    name: 'consumer',
    private: true,
    type: 'module',
    dependencies: Object.fromEntries(names.map((name) => [name, overrides[name]])),
    pnpm: { overrides },
    // The suite imports vitest, which its users bring.
    ...(names.includes('@mamba-ts/conformance') && { devDependencies: { vitest: '^4.1.12' } }),
  });
  writeFileSync(join(folder, 'pnpm-workspace.yaml'), 'verifyDepsBeforeRun: false\n');
  json('tsconfig.json', {
    compilerOptions: {
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      module: 'NodeNext',
      target: 'ES2023',
      lib: ['ES2023', 'DOM', 'DOM.AsyncIterable'],
      types,
      typeRoots: [join(root, 'node_modules/@types')],
      outDir: 'out',
    },
    include: ['index.ts'],
  });
  writeFileSync(join(folder, 'index.ts'), code);
  const install = run('pnpm', ['install', '--prefer-offline', '--no-frozen-lockfile'], folder);
  return install.ok ? run('tsc', ['-p', folder], root) : install;
}

/** A project that imports one package. */
function consume(name: string): { ok: boolean; output: string } {
  const folder = join(work, `consumer-${name.replace(/\W/g, '-')}`);
  const compile = project(
    folder,
    [name],
    [],
    `import * as all from '${name}';\nconst names: string[] = Object.keys(all);\nif (names.length === 0) throw new Error('nothing exported');\nconsole.log(names.length);\n`,
  );
  if (!compile.ok || name === '@mamba-ts/conformance') return compile;
  const bundle = run(
    'esbuild',
    [
      'out/index.js',
      '--bundle',
      '--platform=browser',
      '--format=esm',
      '--outdir=bundle',
      '--log-level=warning',
    ],
    folder,
  );
  // A warning is a line in the terminal of everyone who bundles it.
  if (!bundle.ok || bundle.output !== '') return { ok: false, output: bundle.output };
  return run(process.execPath, ['out/index.js'], folder);
}

/** A project that is the first code of a README. */
function followReadme(packageFolder: string, name: string): { ok: boolean; output: string } {
  const path = join(packageFolder, 'README.md');
  if (!existsSync(path)) return { ok: false, output: `${path} is missing` };
  const readme = readFileSync(path, 'utf8');
  const [, code] = readme.match(/^```[jt]s\n(.*?)^```/ms) ?? [];
  if (code === undefined) return { ok: false, output: 'there is no code in it' };
  const folder = join(work, `readme-${name.replace(/\W/g, '-')}`);
  const names = [...tarballs.keys()].filter((key) => code.includes(`from '${key}'`));
  const compile = project(folder, names, ['node'], code);
  if (!compile.ok || NOT_RUN.has(name)) return compile;
  // One of them learns from its own text.
  writeFileSync(join(folder, 'README.md'), readme);
  return run(process.execPath, ['out/index.js'], folder);
}

/** What a page downloads of a package itself: its JavaScript, minified, and the larger of its .wasm files (it loads one). */
function measure(folder: string, name: string, limit: number): void {
  const dist = join(folder, 'dist');
  const file = join(work, `${name.replace(/\W/g, '-')}.min.js`);
  const bundle = run(
    'esbuild',
    [
      join(dist, 'index.js'),
      ...['--bundle', '--minify', '--platform=browser', '--format=esm'],
      ...['--external:@mamba-ts/*', `--outfile=${file}`, '--log-level=warning'],
    ],
    folder,
  );
  if (!bundle.ok) {
    check(`size of ${name}`, bundle);
    return;
  }
  const zipped = (path: string) => gzipSync(readFileSync(path), { level: 9 }).length;
  const wasm = readdirSync(dist).filter((entry) => entry.endsWith('.wasm'));
  const size = zipped(file) + Math.max(0, ...wasm.map((entry) => zipped(join(dist, entry))));
  const words = `${(size / 1000).toFixed(1)} of ${(limit / 1000).toFixed(1)} KB gzipped`;
  check(`size of ${name}: ${words}`, { ok: size <= limit, output: words });
}

if (failures.length > 0) {
  console.error(`\n${failures.join('\n\n')}`);
  process.exit(1);
}
console.log(`${packages.length} packages checked`);
