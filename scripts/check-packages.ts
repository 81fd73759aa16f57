/*
 * What a user gets from npm, checked before it is published: each package is packed, judged by publint and attw, then a
 * strict TypeScript project installs each tarball alone (with the tarballs of what it depends on), imports it, compiles
 * and runs.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root, workspacePackages } from './workspace.js';

const work = mkdtempSync(join(tmpdir(), 'mamba-ts-pack-'));
const packages = workspacePackages().filter(({ manifest }) => !manifest.private);
const tarballs = new Map<string, string>();
const failures: string[] = [];

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
  for (const { manifest } of packages) check(`consumer of ${manifest.name}`, consume(manifest.name));
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** A project of its own, outside the workspace, that knows one package only by its tarball. */
function consume(name: string): { ok: boolean; output: string } {
  const folder = join(work, `consumer-${name.replace(/\W/g, '-')}`);
  mkdirSync(folder);
  const overrides = Object.fromEntries([...tarballs].map(([key, file]) => [key, `file:${file}`]));
  const json = (file: string, value: unknown) => writeFileSync(join(folder, file), JSON.stringify(value));
  const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  json('package.json', {
    name: 'consumer',
    private: true,
    type: 'module',
    dependencies: { [name]: overrides[name] },
    pnpm: { overrides },
    ...(name === '@mamba-ts/conformance' ? { devDependencies: { vitest: '^4.1.12' } } : {}),
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
      types: [],
      outDir: 'out',
    },
    include: ['index.ts'],
  });
  writeFileSync(
    join(folder, 'index.ts'),
    `import * as all from '${name}';\nconst names: string[] = Object.keys(all);\nif (names.length === 0) throw new Error('nothing exported');\nconsole.log(names.length);\n`,
  );
  if (!devDependencies.typescript)
    throw new Error('the workspace has no TypeScript to compile a consumer with');
  const install = run('pnpm', ['install', '--prefer-offline', '--no-frozen-lockfile'], folder);
  if (!install.ok) return install;
  const compile = run('tsc', ['-p', folder], root);
  if (!compile.ok) return compile;
  // Test suites import vitest, which only runs inside its own runner: compiling is what can be checked of them here.
  return name === '@mamba-ts/conformance' ? compile : run(process.execPath, ['out/index.js'], folder);
}

if (failures.length > 0) {
  console.error(`\n${failures.join('\n\n')}`);
  process.exit(1);
}
console.log(`${packages.length} packages checked`);
