/*
 * Writes docs/numerics.md: how far each backend that runs on this machine is from the official figures and from the
 * oracle (cpu in f64), op by op. `pnpm numerics` builds first, then measures what is built; `pnpm numerics cpu wasm` leaves
 * the other backends out, and says so on the page.
 *
 * WebGPU runs over SwiftShader; MAMBA_TS_WEBGPU=default takes the machine's own GPU.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Backend } from '../packages/backend/src/index.js';
import type { Measurement, SuiteOptions } from '../packages/conformance/src/without-vitest.js';
import { CHANNELS, STATES, scanMemory } from './numerics-memory.js';
import { type Built, modelFigures, NEW_TOKENS } from './numerics-model.js';
import { root } from './workspace.js';

const asked = process.argv.slice(2);
const isAsked = (name: string) => asked.length === 0 || asked.includes(name);

const packages = ['conformance', 'cpu', 'train', ...['wasm', 'webgpu'].filter(isAsked)];
const filters = packages.map((name) => `--filter=@mamba-ts/${name}`);
const build = spawnSync('npx', ['turbo', 'run', 'build', ...filters, '--output-logs=errors-only'], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1' },
});
if (build.status !== 0) process.exit(build.status ?? 1);

/** A package as it is published. */
const built = (name: string, entry = 'index') =>
  import(pathToFileURL(join(root, 'packages', name, 'dist', `${entry}.js`)).href);

const { measure }: typeof import('../packages/conformance/src/without-vitest.js') = await built(
  'conformance',
  'without-vitest',
);

/** The language model's code as it is published. */
const builtModel: Built = {
  ...(await built('conformance')),
  ...(await built('model')),
  ...(await built('train')),
};

interface Candidate {
  readonly title: string;
  readonly options: SuiteOptions;
  create(): Promise<Backend>;
}

const createCpu = async (): Promise<Backend> => (await built('cpu')).createCpuBackend();
const createWasm = async (threads: number): Promise<Backend> =>
  (await built('wasm')).createWasmBackend({ threads });

/** On the GPU that the tests use. */
async function createWebgpu(): Promise<Backend> {
  const { testGpu } = await import(pathToFileURL(join(root, 'packages/webgpu/test/swiftshader.ts')).href);
  const { gpu, reason } = await testGpu();
  if (!gpu) throw new Error(reason);
  return (await built('webgpu')).createWebgpuBackend({ gpu });
}

const CANDIDATES: readonly Candidate[] = [
  { title: 'cpu, f64', options: { dtypes: ['f64'] }, create: createCpu },
  { title: 'cpu, f32', options: { dtypes: ['f32'] }, create: createCpu },
  { title: 'wasm, one thread', options: {}, create: () => createWasm(1) },
  { title: 'wasm, two threads', options: {}, create: () => createWasm(2) },
  { title: 'webgpu', options: { nonFinite: false }, create: createWebgpu },
];

const number = (x: number) => (x === 0 ? '0' : x.toExponential(1));

/** The largest error, and where. */
function worst(measurements: readonly Measurement[]): string {
  if (measurements.length === 0) return '';
  const most = measurements.reduce((a, b) => (b.error > a.error ? b : a));
  return `${number(most.error)} (${most.case})`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** A row for each op, a column for each kind of comparison that this backend has. */
function byOp(measurements: readonly Measurement[], groups: readonly string[]): string {
  const shown = measurements.filter(({ group }) => groups.includes(group));
  const used = groups.filter((group) => shown.some((one) => one.group === group));
  const rows = [...new Set(shown.map(({ op }) => op))].sort().map((op) => {
    const own = shown.filter((one) => one.op === op);
    const cells = used.map((group) => worst(own.filter((one) => one.group === group)));
    return [`\`${op}\``, String(own.length), ...cells];
  });
  const titles = used.map((group) => (group === 'identities' ? 'in another way' : group));
  return table(['op', 'calls', ...titles], rows);
}

const sections: string[] = [];
const summary: string[][] = [];
const models: string[][] = [];
const skipped: string[] = [];
let over = 0;

for (const { title, options, create } of CANDIDATES) {
  let backend: Backend;
  try {
    if (!isAsked(title.split(',')[0])) throw new Error('left out');
    backend = await create();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    skipped.push(`- ${title}: ${reason}`);
    console.log(`${title}: skipped, ${reason}`);
    continue;
  }
  const oracle = await createCpu();
  const all = await measure(backend, oracle, options);
  // In f64 the oracle is the cpu backend itself: that comparison says nothing.
  const measured = title === 'cpu, f64' ? all.filter(({ group }) => group !== 'against the oracle') : all;
  const bad = measured.filter(({ error, tolerance }) => !(error <= tolerance));
  over += bad.length;
  for (const { op, case: name, error, detail } of bad)
    console.error(`${title}: ${op} (${name}) ${error}: ${detail}`);
  for (const kind of ['forward', 'gradient'] as const) {
    const own = measured.filter((one) => one.kind === kind && one.group !== 'finite differences');
    const most = own.reduce((a, b) => (b.error > a.error ? b : a));
    summary.push([title, kind, String(own.length), `${number(most.error)} (\`${most.op}\`, ${most.case})`]);
  }
  const groups = ['official figures', 'against the oracle', 'identities', 'finite differences'];
  sections.push(`## ${title}\n\n${backend.description}\n\n${byOp(measured, groups)}`);
  console.log(`${title}: ${measured.length} calls, ${bad.length} over the tolerance`);
  const dtype = title === 'cpu, f64' ? 'f64' : 'f32';
  const model = await modelFigures(backend, dtype, builtModel);
  const { logits, gradients, splits, steps, rows, namingsAgree, greedyAgrees, copiesAgree, refuses } = model;
  const bar = dtype === 'f64' ? { forward: 1e-11, gradient: 1e-11 } : { forward: 1e-5, gradient: 5e-5 };
  const good =
    Math.max(logits, splits, steps, rows) <= bar.forward &&
    gradients <= bar.gradient &&
    [namingsAgree, greedyAgrees, copiesAgree, refuses].every(Boolean);
  if (!good) {
    over++;
    console.error(`${title}: language model`, model);
  }
  const yes = (agrees: boolean) => (agrees ? 'yes' : 'NO');
  models.push([
    title,
    ...[logits, gradients, splits, steps, rows].map(number),
    ...[namingsAgree, greedyAgrees, copiesAgree, refuses].map(yes),
  ]);
  await backend.dispose();
  await oracle.dispose();
}

const reference = await createCpu();
const memory: string[][] = [];
for (const length of [1024, 2048, 4096, 8192]) {
  memory.push([String(length), scanMemory(reference, length).toFixed(2), String(STATES)]);
}
await reference.dispose();

const page = `# Numerics

Written by \`pnpm numerics\`; not by hand. Node ${process.versions.node}, ${cpus()[0]?.model ?? 'unknown processor'}.

Every figure is max |x - ref| / max |ref| over one output of one call; the largest of a call's outputs counts. (An output
under 1e-4 (of an op that stands for a chain of others 1e-3) of the largest one of its call is judged relative to that share, and an output that should be all zeros by
its absolute size.) Inputs are the same numbers for all, exact in
f32; S4D's official ones are not, and what is right for the rounded ones is the oracle's.

- **official figures**: what the official code (state-spaces/mamba, Dao-AILab/causal-conv1d, state-spaces/s4) computed in f64.
- **against the oracle**: the cpu backend in f64, on every option and on random shapes.
- **in another way**: the same backend, split at any place, token by token, packed, row by row.
- **finite differences**: gradients against central differences of the forward op, in f64.

Tolerances, which the conformance suite enforces on every backend: f64 1e-11 (finite differences 1e-7); f32 1e-5 forward,
5e-5 gradients. \`exp\` alone is judged value by value over its whole range, in f32 at 5e-5.

## Largest errors

${table(['backend', 'kind', 'calls', 'largest error'], summary)}

## The language model

Two blocks of width 32 with official weights (the figures of the suite), in both namings of checkpoints.

${table(
  [
    ...['backend', 'logits', 'gradients', 'prefill in pieces', 'token by token', 'a row alone'],
    ...['namings agree', 'greedy text', 'fork, save, restore', 'other models refuse'],
  ],
  models,
)}

Logits and gradients (all parameters, through \`lossAndGradients\`) against the official code in f64; the next three against the
same backend on the whole sequence at once. *Greedy text*: ${NEW_TOKENS} tokens after two prompts, alone and as a batch, are the official ones. *Fork,
save, restore*: the logits of the next token are the same to the bit. *Other models refuse*: a saved state is no good for
other weights, and they say so.

## Memory of the scan

Forward and backward with all options, B = 1, D = ${CHANNELS}, N = ${STATES}, reference backend in f32: all that is allocated, inputs, results and
scratch, in tensors of [L, D].

${table(['L', 'allocated', 'a stored [L, D, N] alone'], memory)}

${sections.join('\n\n')}
${skipped.length > 0 ? `\n## Not measured\n\n${skipped.join('\n')}\n` : ''}`;
writeFileSync(join(root, 'docs/numerics.md'), page);
process.exit(over === 0 ? 0 : 1);
