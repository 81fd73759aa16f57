import { MambaError } from '@mamba-ts/backend';
import { MambaLM, type WeightDType } from '@mamba-ts/model';
import { type BenchOptions, type BenchRow, decode, prefill, scan, training } from '../bench/cases.js';
import { type LimitProbe, openLimitProbe } from '../bench/limits.js';
import { SHAPES } from '../bench/shapes.js';
import { createBackend } from '../create-backend.js';
import { JSON_OPTION, MODEL_OPTIONS, openBackend } from './model.js';
import type { Values } from './options.js';
import type { Verb } from './verb.js';

const CASES = ['prefill', 'decode', 'scan', 'training'] as const;
const DTYPES = ['f64', 'f32', 'f16', 'bf16', 'int8'] as const;
const PROMPTS = [512, 2048];
const DECODED = 128;
/** A layer of mamba-130m, and the training batch of a small model. */
const SCAN = { batch: 1, length: 2048, channels: 1536, states: 16 };
const TRAINING_SCAN = { batch: 8, length: 256, channels: 128, states: 16 };

export const bench: Verb = {
  name: 'bench',
  summary: "measure prefill, decoding, scan and training, beside this machine's own limits",
  example: 'mamba-ts bench --shape 130m --threads 1 --dtype f32,int8',
  options: {
    shape: {
      kind: 'text',
      help: 'random weights of this shape',
      choices: Object.keys(SHAPES),
      fallback: '130m',
    },
    cases: { kind: 'text', value: 'LIST', help: `of ${CASES.join(',')}`, fallback: CASES.join(',') },
    runs: { kind: 'integer', help: 'runs of each case; the median counts', min: 1, fallback: 3 },
    ...MODEL_OPTIONS,
    model: { kind: 'text', value: 'DIR', help: 'this model instead of random weights' },
    dtype: {
      kind: 'text',
      value: 'LIST',
      help: `types of the weights, of ${DTYPES.join(',')}: decoding with each, prefill with the first`,
      fallback: 'f32',
    },
    reference: { kind: 'flag', help: 'scan with gradients and training on the cpu backend too' },
    ...JSON_OPTION,
  },
  async run(values, io) {
    const cases = list(values, 'cases', CASES);
    const dtypes = list(values, 'dtype', DTYPES);
    const backend = await openBackend(values);
    let probe: LimitProbe | undefined;
    try {
      const threads = backend.name === 'wasm' ? (values.number('threads') ?? (await cores())) : 1;
      // A GPU has other limits than the processor's.
      if (backend.name !== 'webgpu') probe = await openLimitProbe(threads);
      const options: BenchOptions = {
        backend,
        threads,
        probe,
        runs: values.number('runs') as number,
      };
      const rows: BenchRow[] = [];
      const add = (row: BenchRow) => {
        io.signal.throwIfAborted();
        rows.push(row);
        if (!values.flag('json')) io.out(line(row));
      };
      if (!values.flag('json')) io.out(await header(options));
      if (cases.includes('scan')) {
        add(await scan(options, SCAN, false));
        add(await scan(options, TRAINING_SCAN, true));
      }
      const shape = values.text('model') ?? (values.text('shape') as string);
      for (const [i, dtype] of dtypes.entries()) {
        const prompts = i === 0 && cases.includes('prefill') ? PROMPTS : [];
        if (prompts.length === 0 && !cases.includes('decode')) continue;
        const lm = await open(values, options, dtype);
        for (const length of prompts) add(await prefill(options, lm, shape, length));
        if (cases.includes('decode')) add(await decode(options, lm, shape, DECODED));
        lm.dispose();
      }
      if (cases.includes('training')) add(await trainSmall(options));
      if (values.flag('reference')) {
        const cpu = {
          ...options,
          backend: await createBackend('cpu'),
          threads: 1,
          probe: undefined,
          runs: 1,
        };
        try {
          if (cases.includes('scan')) add(await scan(cpu, TRAINING_SCAN, true));
          if (cases.includes('training')) add(await trainSmall(cpu));
        } finally {
          await cpu.backend.dispose();
        }
      }
      if (values.flag('json')) io.out(`${JSON.stringify(rows)}\n`);
    } finally {
      await probe?.close();
      await backend.dispose();
    }
  },
};

async function cores(): Promise<number> {
  return (await import('node:os')).availableParallelism();
}

/** What a list of names holds, all of which must be among the choices. */
function list<T extends string>(values: Values, option: string, choices: readonly T[]): T[] {
  const names = (values.text(option) as string).split(',');
  const unknown = names.find((name) => !(choices as readonly string[]).includes(name));
  if (unknown === undefined) return names as T[];
  throw new MambaError('INVALID_ARGUMENT', `--${option} has no "${unknown}"; there are ${choices.join(',')}`);
}

/** The embedded model's shape, as it was trained: 8 rows of 256 bytes. */
async function trainSmall(options: BenchOptions): Promise<BenchRow> {
  const lm = await MambaLM.create(SHAPES['embedded'], { backend: options.backend, seed: 1 });
  try {
    return await training(options, lm, 'embedded', 8, 256);
  } finally {
    lm.dispose();
  }
}

function open(values: Values, { backend }: BenchOptions, dtype: WeightDType): Promise<MambaLM> {
  const folder = values.text('model');
  return folder === undefined
    ? MambaLM.create(SHAPES[values.text('shape') as string], { backend, seed: 1, dtype })
    : MambaLM.fromPretrained(folder, { backend, dtype });
}

async function header({ backend, probe }: BenchOptions): Promise<string> {
  if (!probe) return `${backend.description}: no limits measured\n`;
  const [flops, bandwidth] = [await probe.measure('flops'), await probe.measure('bandwidth')];
  return `${backend.description}: ${(flops / 1e9).toFixed(1)} GFLOP/s, ${(bandwidth / 1e9).toFixed(1)} GB/s read\n`;
}

function line({ case: name, shape, dtype, backend, value, unit, limit, share }: BenchRow): string {
  const against =
    limit === null ? '' : `  of ${limit.toPrecision(3)}: ${((share as number) * 100).toFixed(0)} %`;
  return `${backend.padEnd(6)} ${name.padEnd(22)} ${shape.padEnd(26)} ${dtype.padEnd(5)} ${value.toPrecision(4).padStart(8)} ${unit}${against}\n`;
}
