/*
 * Each kernel on the shapes of mamba-130m, as a share of what this machine can do at most, measured in between.
 *
 *   npx tsx packages/wasm/bench/kernels.ts [threads] [seconds]
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DType } from '@mamba-ts/backend';
import { createLimitProbe, createWasmBackend } from '../src/index.js';

const threads = Number(process.argv[2] ?? 1);
const seconds = Number(process.argv[3] ?? 30);

interface Case {
  readonly name: string;
  readonly run: () => unknown;
  readonly unit: 'GFLOP/s' | 'GB/s' | 'ms';
  /** Operations or bytes, in 1e9, of one run. */
  readonly amount: number;
  best: number;
}

const backend = await createWasmBackend({ threads });
const probe = await createLimitProbe({ threads });
const cases: Case[] = [];
const { ops } = backend;

function uniform(shape: readonly number[], low = -1, high = 1, dtype: DType = 'f32') {
  const size = shape.reduce((product, n) => product * n, 1);
  return backend.tensor(
    Float32Array.from({ length: size }, () => low + (high - low) * Math.random()),
    shape,
    dtype,
  );
}

function add(name: string, unit: Case['unit'], amount: number, run: () => unknown): void {
  cases.push({
    name,
    unit,
    amount,
    run: () => backend.scope(() => void run()),
    best: Number.POSITIVE_INFINITY,
  });
}

const shapes = [
  [768, 3072],
  [1536, 80],
  [48, 1536],
  [1536, 768],
] as const;
for (const [k, n] of shapes) {
  const weight = uniform([n, k]);
  for (const m of [512, 2048]) {
    const x = uniform([m, k]);
    add(`linear [${m}, ${k}] x [${n}, ${k}]`, 'GFLOP/s', (2 * m * k * n) / 1e9, () =>
      ops.linear({ x, weight }),
    );
  }
}
{
  const [m, k, n] = [2048, 128, 512];
  const [x, weight, dy] = [uniform([m, k]), uniform([n, k]), uniform([m, n])];
  add(`linearBackward [${m}, ${k}] x [${n}, ${k}]`, 'GFLOP/s', (4 * m * k * n) / 1e9, () =>
    ops.linearBackward({ x, weight }, { dy }),
  );
}
for (const dtype of ['f32', 'f16', 'bf16', 'int8'] as const) {
  const [k, n] = [768, 50280];
  const x = uniform([1, k]);
  const weight = uniform([n, k], -1, 1, dtype);
  const bytes = k * n * { f32: 4, f16: 2, bf16: 2, int8: 1.125 }[dtype];
  add(`decode ${dtype} [${n}, ${k}]`, 'GB/s', bytes / 1e9, () => ops.linear({ x, weight }));
}
{
  const [l, d, n] = [2048, 1536, 16];
  const each = [1, l, d];
  const scan = {
    u: uniform(each),
    delta: uniform(each, 0.001, 0.1),
    A: backend.tensor(
      Float32Array.from({ length: d * n }, (_, i) => -((i % n) + 1)),
      [d, n],
    ),
    B: uniform([1, l, n]),
    C: uniform([1, l, n]),
    D: uniform([d]),
  };
  add('selectiveScan B=1 L=2048 D=1536 N=16', 'ms', 1, () => ops.selectiveScan(scan));
  const full = { ...scan, z: uniform(each), deltaBias: uniform([d], -5, -2), softplus: true };
  add('the same with softplus and gate', 'ms', 1, () => ops.selectiveScan(full));
}

/** shared scan in plain C: the same loop, states in the inner loop, expf. */
const PLAIN_C = `
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
enum { D = 1536, N = 16, L = 2048 };
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + 1e-9 * t.tv_nsec; }
int main(void) {
  float *u = malloc(4L * D * L), *dt = malloc(4L * D * L), *A = malloc(4L * D * N), *B = malloc(4L * N * L), *C = malloc(4L * N * L), *y = malloc(4L * D * L);
  for (int i = 0; i < D * L; i++) { u[i] = rand() / (float)RAND_MAX; dt[i] = 0.001f + 0.1f * (rand() / (float)RAND_MAX); }
  for (int i = 0; i < D * N; i++) A[i] = -(float)(i % N + 1);
  for (int i = 0; i < N * L; i++) { B[i] = rand() / (float)RAND_MAX; C[i] = rand() / (float)RAND_MAX; }
  double best = 1e9;
  for (int q = 0; q < 5; q++) {
    double t = now();
    for (int d = 0; d < D; d++) {
      float s[N] = {0};
      for (int t = 0; t < L; t++) {
        float de = dt[d * L + t], du = de * u[d * L + t], acc = 0;
        for (int n = 0; n < N; n++) { s[n] = s[n] * expf(de * A[d * N + n]) + du * B[t * N + n]; acc += s[n] * C[t * N + n]; }
        y[d * L + t] = acc + u[d * L + t];
      }
    }
    t = now() - t;
    if (t < best) best = t;
  }
  printf("%f %f\\n", best * 1e3, y[7]);
}`;

function plainC(): number | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'mamba-ts-scan-'));
  try {
    writeFileSync(join(folder, 'scan.c'), PLAIN_C);
    execFileSync('cc', ['-O3', '-march=native', 'scan.c', '-lm', '-o', 'scan'], {
      cwd: folder,
      stdio: 'ignore',
    });
    return Number(execFileSync(join(folder, 'scan'), { encoding: 'utf8' }).split(' ')[0]);
  } catch {
    return undefined;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

// The engine optimises in the background, from what it saw run.
for (let round = 0; round < 3; round++) {
  for (const one of cases) one.run();
  await sleep(100);
}
const scanInC = plainC();
const end = performance.now() + 1000 * seconds;
let limits = probe.measure();
do {
  for (const one of cases) {
    const start = performance.now();
    one.run();
    one.best = Math.min(one.best, performance.now() - start);
  }
  limits = probe.measure();
  await sleep(1);
} while (performance.now() < end);

console.log(`Node ${process.versions.node}, ${backend.description}`);
console.log(
  `limits, ${threads} thread(s): ${limits.gflops.toFixed(1)} GFLOP/s, ${limits.readGBps.toFixed(1)} GB/s read`,
);
for (const { name, unit, amount, best } of cases) {
  if (unit === 'ms') {
    const ratio =
      scanInC === undefined ? '' : `, plain C ${scanInC.toFixed(1)} ms: ${(scanInC / best).toFixed(1)}x`;
    console.log(`${name}: ${best.toFixed(1)} ms${ratio}`);
  } else {
    const value = (1e3 * amount) / best;
    const limit = unit === 'GB/s' ? limits.readGBps : limits.gflops;
    console.log(`${name}: ${value.toFixed(1)} ${unit}, ${((100 * value) / limit).toFixed(0)} % of the limit`);
  }
}
await backend.dispose();
await probe.dispose();
