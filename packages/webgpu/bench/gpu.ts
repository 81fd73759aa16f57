/*
 * Times the backend on this machine's GPU: memory and arithmetic ceilings, the selective scan from 2k to 128k tokens, matrix
 * products, decoding and prefill of the mamba-130m shape, through `MambaLM` and straight on the ops. One JSON object on stdout
 * at the end, progress on stderr.
 *
 *   pnpm exec tsx --conditions=@mamba-ts/source bench/gpu.ts [scan] [gemm] [matvec] [sample] [decode] [decode-int8] [model]
 *
 * For a machine with nothing but a driver: bench/pack.ts. Medians; every case is warmed up; inputs rotate, so that a cache of
 * 64 MB does not serve them twice. `GPU` is what the GPU spends by its own clock (timestamp queries), where it has one: from
 * the first kernel's start to the last one's end, several runs one behind the other. All else is wall time, from the call to the last result.
 */
import { dequantizeInt8, INT8_BLOCK, narrow, quantizeInt8, type Tensor, widen } from '@mamba-ts/backend';
import { type GenerateOptions, MambaLM } from '@mamba-ts/model';
import { create } from 'webgpu';
import { createWebgpuBackend, type WebgpuBackend } from '../src/index.js';
import { MAMBA_130M, Network, type WeightType } from './network.js';
import { byKernel, timedDevice } from './timestamps.js';

interface Row {
  case: string;
  shape: string;
  value: number;
  unit: string;
  limit?: number;
  share?: number;
}

const rows: Row[] = [];
function report(row: Row): void {
  rows.push(row);
  const share = row.share === undefined ? '' : `  ${(100 * row.share).toFixed(1)} %`;
  console.error(
    `${row.case.padEnd(28)} ${row.shape.padEnd(32)} ${row.value.toPrecision(4)} ${row.unit}${share}`,
  );
}

function random(count: number, seed: number, scale = 1): Float32Array {
  const out = new Float32Array(count);
  let state = seed * 2654435761;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    out[i] = (scale * state) / 2 ** 31;
  }
  return out;
}

/** Milliseconds of one run: the median of rounds of enough runs to fill a tenth of a second. */
async function time(backend: WebgpuBackend, run: (i: number) => void): Promise<number> {
  const { queue } = backend.device;
  const round = async (count: number, from: number) => {
    const start = performance.now();
    for (let i = 0; i < count; i++) backend.scope(() => void run(from + i));
    // Reading a number hands over what is enqueued.
    const marker = backend.zeros([1]);
    await marker.data();
    marker.dispose();
    await queue.onSubmittedWorkDone();
    return (performance.now() - start) / count;
  };
  await round(2, 0);
  const once = await round(2, 2);
  const count = Math.max(1, Math.min(200, Math.round(100 / once)));
  const found: number[] = [];
  for (let r = 0; r < 5; r++) found.push(await round(count, 4 + r * count));
  return found.sort((a, b) => a - b)[2]!;
}

type Timed = NonNullable<Awaited<ReturnType<typeof timedDevice>>>;
let timed: Timed | undefined;

/**
 * Milliseconds of the GPU itself: from the first kernel's start to the last one's end, of so many runs that are handed over at
 * once, for one; the median of five. On stderr: what each kernel took alone, a few microseconds for its timestamps included.
 */
async function gpuTime(
  backend: WebgpuBackend,
  runs: number,
  run: (i: number) => void,
): Promise<number | undefined> {
  if (!timed) return undefined;
  const round = async (count: number) => {
    for (let i = 0; i < count; i++) backend.scope(() => void run(i));
    const marker = backend.zeros([1]);
    await marker.data();
    marker.dispose();
  };
  const found: number[] = [];
  for (let i = 0; i < 6; i++) found.push((await timed.span(() => round(runs))) / runs / 1000);
  const kernels = byKernel((await timed.profile(() => round(1))).filter(({ label }) => label !== 'fill'));
  for (const { kernel, count, microseconds } of kernels.slice(0, 12))
    console.error(`    ${microseconds.toFixed(1).padStart(9)} us  ${String(count).padStart(4)} x ${kernel}`);
  return found.slice(1).sort((a, b) => a - b)[2]!;
}

/** GB/s that a plain kernel reads and writes: y = a + b over 256 MB each. */
async function bandwidth(backend: WebgpuBackend): Promise<number> {
  const n = 2 ** 26;
  const [a, b] = [backend.zeros([n]), backend.zeros([n])];
  const ms = await time(backend, () => backend.ops.add({ a, b }));
  const own = await gpuTime(backend, 16, () => backend.ops.add({ a, b }));
  a.dispose();
  b.dispose();
  const value = (3 * 4 * n) / (own ?? ms) / 1e6;
  report({ case: 'memory', shape: 'a + b, 2^26 f32', value, unit: 'GB/s' });
  return value;
}

async function scan(backend: WebgpuBackend, limit: number): Promise<void> {
  const [D, N] = [1536, 16];
  for (const L of [2048, 8192, 32768, 131072]) {
    const bytes = 4 * (4 * L * D + 2 * L * N);
    const sets = Math.max(1, Math.ceil(256e6 / bytes));
    const small = random(L * N, 1);
    const base = random(Math.min(L, 8192) * D, 2);
    const make = (shape: number[], data: Float32Array) => backend.tensor(data, shape);
    // The same numbers over and over: what is timed does not depend on them, and uploading gigabytes takes long.
    const long = () => {
      const piece = make([1, Math.min(L, 8192), D], base);
      if (L <= 8192) return piece;
      const whole = backend.ops.concat({ tensors: Array(L / 8192).fill(piece) as Tensor[], axis: 1 });
      piece.dispose();
      return whole;
    };
    const inputs = Array.from({ length: sets }, () => ({
      u: long(),
      delta: long(),
      A: make(
        [D, N],
        Float32Array.from({ length: D * N }, (_, i) => -1 - (i % N)),
      ),
      B: make([1, L, N], small),
      C: make([1, L, N], small),
      D: make([D], random(D, 3)),
      z: long(),
      deltaBias: make([D], random(D, 4)),
      softplus: true,
    }));
    const ms = await time(backend, (i) => backend.ops.selectiveScan(inputs[i % sets]!));
    const value = bytes / ms / 1e6;
    const shape = `L=${L} D=${D} N=${N}`;
    report({ case: 'scan forward', shape, value: ms, unit: 'ms' });
    report({ case: 'scan forward', shape, value, unit: 'GB/s', limit, share: value / limit });
    const runs = L > 32768 ? 4 : 16;
    const own = await gpuTime(backend, runs, (i) => backend.ops.selectiveScan(inputs[i % sets]!));
    if (own) {
      report({ case: 'scan forward, GPU', shape, value: own, unit: 'ms' });
      const rate = bytes / own / 1e6;
      report({ case: 'scan forward, GPU', shape, value: rate, unit: 'GB/s', limit, share: rate / limit });
    }
    if (L <= 8192) {
      const back = await time(backend, (i) => {
        const one = inputs[i % sets]!;
        return backend.ops.selectiveScanBackward(one, { dy: one.z });
      });
      report({ case: 'scan backward', shape, value: back, unit: 'ms' });
    }
    for (const set of inputs) for (const x of Object.values(set)) if (typeof x === 'object') x.dispose();
  }
}

async function gemm(backend: WebgpuBackend): Promise<void> {
  for (const [M, K, N] of [
    [2048, 768, 3072],
    [2048, 1536, 768],
    [2048, 1536, 80],
    [2048, 48, 1536],
    [4096, 4096, 4096],
  ] as const) {
    for (const type of ['f32', 'f16'] as const) {
      const x = backend.tensor(random(M * K, 1), [M, K]);
      const weight = backend.tensor(random(N * K, 2), [N, K], type);
      const ms = await time(backend, () => backend.ops.linear({ x, weight }));
      const value = (2 * M * N * K) / ms / 1e9;
      report({ case: `matrix product, ${type}`, shape: `${M} x ${K} -> ${N}`, value, unit: 'TFLOP/s' });
      x.dispose();
      weight.dispose();
    }
  }
}

/** max|y - w x| / max|w x|, w [N, K], in f64. */
function productError(y: ArrayLike<number>, x: Float32Array, w: Float32Array): number {
  let error = 0;
  let largest = 0;
  for (let n = 0; n < y.length; n++) {
    let want = 0;
    for (let k = 0; k < x.length; k++) want += x[k]! * w[n * x.length + k]!;
    error = Math.max(error, Math.abs(y[n]! - want));
    largest = Math.max(largest, Math.abs(want));
  }
  return error / largest;
}

async function matvecs(backend: WebgpuBackend, limit: number): Promise<void> {
  for (const [K, N] of [
    [768, 3072],
    [1536, 768],
    [1536, 80],
    [768, 50280],
  ] as const) {
    for (const type of ['f16', 'int8'] as const) {
      const bytes = N * K * (type === 'f16' ? 2 : 1 + 4 / INT8_BLOCK);
      const sets = Math.max(1, Math.min(64, Math.ceil(128e6 / bytes)));
      const data = random(N * K, 2);
      const weights = Array.from({ length: sets }, () => backend.tensor(data, [N, K], type));
      const x = backend.tensor(random(K, 1), [1, K]);
      const y = backend.ops.linear({ x, weight: weights[0]! });
      const stored =
        type === 'f16' ? widen(narrow(data, type), type) : dequantizeInt8(quantizeInt8(data, N, K), N, K);
      const error = productError(await y.data(), random(K, 1), stored);
      y.dispose();
      report({ case: `matvec, ${type}`, shape: `${K} -> ${N}`, value: error, unit: 'max|error| / max|y|' });
      const ms = await time(backend, (i) => backend.ops.linear({ x, weight: weights[i % sets]! }));
      const value = bytes / ms / 1e6;
      const shape = `${K} -> ${N} (${(1000 * ms).toFixed(1)} us)`;
      report({ case: `matvec, ${type}`, shape, value, unit: 'GB/s', limit, share: value / limit });
      for (const tensor of [x, ...weights]) tensor.dispose();
    }
  }
}

async function decode(backend: WebgpuBackend, type: WeightType): Promise<void> {
  const network = new Network(backend, MAMBA_130M, type);
  const { ops } = backend;
  const tokens = 200;
  const read = async (next: () => Tensor): Promise<number> => {
    // The next token stays on the GPU; its number is read two steps later.
    const waiting: Promise<unknown>[] = [];
    for (let i = 0; i < 10; i++) await next().data();
    const start = performance.now();
    for (let i = 0; i < tokens; i++) {
      waiting.push(next().data());
      if (waiting.length > 2) await waiting.shift();
    }
    await Promise.all(waiting);
    return (1000 * tokens) / (performance.now() - start);
  };
  for (const fused of [true, false]) {
    const id = backend.tensor([7], [1], 'i32');
    const state = network.createState();
    const step = () => {
      const next = ops.argmax({ x: network.step(id, state, fused) });
      backend.write(id, next);
    };
    const path = fused ? 'mambaStep' : 'single ops';
    const plain = await read(() => {
      backend.scope(step);
      return id;
    });
    report({ case: `decode 130m ${type}`, shape: path, value: plain, unit: 'tokens/s' });
    const captured = backend.capture(step);
    const replayed = await read(() => {
      captured.replay();
      return id;
    });
    report({ case: `decode 130m ${type}`, shape: `${path}, replayed`, value: replayed, unit: 'tokens/s' });
    // What the processor needs to enqueue a token, with nothing read.
    const start = performance.now();
    for (let i = 0; i < 50; i++) captured.replay();
    const enqueue = (performance.now() - start) / 50;
    await id.data();
    report({ case: `decode 130m ${type}`, shape: `${path}, enqueueing`, value: enqueue, unit: 'ms' });
    const own = await gpuTime(backend, 2, () => captured.replay());
    if (own) report({ case: `decode 130m ${type}, GPU`, shape: path, value: own, unit: 'ms' });
    captured.dispose();
  }
  if (type === 'f16') {
    for (const L of [512, 2048]) {
      const ids = backend.tensor(
        Int32Array.from({ length: L }, (_, i) => (i * 7919) % MAMBA_130M.vocab),
        [1, L],
        'i32',
      );
      const ms = await time(backend, () => network.prefill(ids));
      report({ case: 'prefill 130m f16', shape: `L=${L}`, value: (1000 * L) / ms, unit: 'tokens/s' });
      const own = await gpuTime(backend, 1, () => network.prefill(ids));
      if (own) report({ case: 'prefill 130m f16, GPU', shape: `L=${L}`, value: own, unit: 'ms' });
    }
  }
}

async function sample(backend: WebgpuBackend): Promise<void> {
  const { vocab } = MAMBA_130M;
  const logits = backend.tensor(random(vocab, 5, 8), [1, vocab]);
  const uniform = backend.tensor(new Float32Array([0.6]), [1]);
  const cases = {
    greedy: { temperature: 0 },
    'temperature 1': { temperature: 1, uniform },
    'top-k 40': { temperature: 0.8, topK: 40, uniform },
    'top-p 0.95': { temperature: 0.8, topP: 0.95, uniform },
    'top-k 40, top-p 0.95': { temperature: 0.8, topK: 40, topP: 0.95, uniform },
  };
  for (const [shape, options] of Object.entries(cases)) {
    const own = await gpuTime(backend, 16, () => backend.ops.sample!({ logits, ...options }));
    if (own) report({ case: `sample of ${vocab}, GPU`, shape, value: 1000 * own, unit: 'us' });
  }
}

/** The same through the door that users come in. */
async function model(backend: WebgpuBackend): Promise<void> {
  const { layers: nLayer, model: dModel, vocab: vocabSize } = MAMBA_130M;
  const lm = await MambaLM.create({ dModel, nLayer, vocabSize }, { backend, dtype: 'f16' });
  const prompt = Array.from({ length: 16 }, (_, i) => (i * 7919) % vocabSize);
  const rate = async (options: GenerateOptions) => {
    let start = 0;
    let count = 0;
    // The first tokens record the step.
    for await (const _ of lm.generate(prompt, { maxTokens: 320, eos: null, ...options })) {
      if (++count === 20) start = performance.now();
    }
    return (1000 * (count - 20)) / (performance.now() - start);
  };
  const cases: [string, GenerateOptions][] = [
    ['greedy', { temperature: 0 }],
    ['temperature 1', {}],
    ['top-k 40, top-p 0.95', { temperature: 0.8, topK: 40, topP: 0.95 }],
    ['greedy, a given state', { temperature: 0, state: lm.createState() }],
    ['chosen on the host', { repetitionPenalty: 1.1 }],
  ];
  await rate({ temperature: 0 });
  for (const [shape, options] of cases)
    report({ case: 'MambaLM 130m f16, generate', shape, value: await rate(options), unit: 'tokens/s' });
  const ids = Array.from({ length: 2048 }, (_, i) => (i * 7919) % vocabSize);
  for (const chunkSize of [512, 2048]) {
    const found: number[] = [];
    for (let i = 0; i < 4; i++) {
      const state = lm.createState();
      const start = performance.now();
      const { logits } = await lm.prefill(ids, state, { chunkSize });
      await logits.data();
      found.push((1000 * ids.length) / (performance.now() - start));
      logits.dispose();
      state.dispose();
    }
    const value = found.slice(1).sort((a, b) => a - b)[1]!;
    report({
      case: 'MambaLM 130m f16, prefill 2048',
      shape: `in chunks of ${chunkSize}`,
      value,
      unit: 'tokens/s',
    });
  }
  lm.dispose();
}

async function main(wanted: readonly string[]): Promise<void> {
  const all = wanted.length === 0;
  // Without the toggle timestamps are rounded to 100 us. MAMBA_TS_DAWN chooses another backend of Dawn's.
  const flags = process.env['MAMBA_TS_DAWN']?.split(' ') ?? [];
  const gpu = create([...flags, 'disable-dawn-features=timestamp_quantization']);
  timed = await timedDevice(gpu);
  const backend = await createWebgpuBackend({ gpu, ...timed });
  console.error(backend.description);
  const limit = await bandwidth(backend);
  const parts: Record<string, () => Promise<void>> = {
    scan: () => scan(backend, limit),
    gemm: () => gemm(backend),
    matvec: () => matvecs(backend, limit),
    sample: () => sample(backend),
    decode: () => decode(backend, 'f16'),
    'decode-int8': () => decode(backend, 'int8'),
    model: () => model(backend),
  };
  for (const [name, run] of Object.entries(parts)) {
    if (!all && !wanted.includes(name)) continue;
    try {
      await run();
    } catch (error) {
      console.error(`${name}: ${error}`);
    }
  }
  console.log(JSON.stringify({ device: backend.description, rows }, null, 1));
  await backend.dispose();
}

await main(process.argv.slice(2));
