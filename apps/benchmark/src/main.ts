/*
 * Measures the backends of this machine, one process each, and writes report.json and report.md into a folder.
 *   pnpm bench [--out DIR] [--backend NAME]... [options of `mamba-ts bench`]
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { BenchRow } from 'mamba-ts';
import { mambaTs } from './command-line.js';
import { type Machine, markdown, type Report } from './report.js';

/** Handed to `mamba-ts bench` as they are; it judges them. */
const FORWARDED = ['shape', 'model', 'cases', 'dtype', 'threads', 'runs'] as const;

const { values } = parseArgs({
  // pnpm hands on the dashes that end its own options.
  args: process.argv.slice(2).filter((arg) => arg !== '--'),
  options: {
    out: { type: 'string', default: 'report' },
    backend: { type: 'string', multiple: true },
    ...(Object.fromEntries(FORWARDED.map((name) => [name, { type: 'string' }])) as Record<
      (typeof FORWARDED)[number],
      { type: 'string' }
    >),
  },
});
const forwarded = FORWARDED.flatMap((name) =>
  values[name] === undefined ? [] : [`--${name}=${values[name]}`],
);

const machine = await mambaTs<Machine>('doctor');
// The reference backend is the definition, not a contender: a model of 130 million parameters would take it hours.
const available = machine.backends.filter((backend) => backend.available).map(({ name }) => name);
const backends = values.backend ?? available.filter((name) => name !== 'cpu');

const rows: BenchRow[] = [];
for (const backend of backends) {
  console.error(`${backend} ...`);
  rows.push(...(await mambaTs<BenchRow[]>('bench', '--backend', backend, ...forwarded)));
}

const report: Report = { date: new Date().toISOString(), machine, rows };
const page = markdown(report);
// pnpm runs a script in its package's folder; a path is meant from where the person is.
const out = resolve(process.env['INIT_CWD'] ?? '.', values.out);
await mkdir(out, { recursive: true });
await writeFile(join(out, 'report.json'), `${JSON.stringify(report, null, 2)}\n`);
await writeFile(join(out, 'report.md'), page);
console.log(page);
console.error(`written to ${out}`);
