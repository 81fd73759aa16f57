import { MambaError } from '@mamba-ts/backend';
import { MambaLM } from '@mamba-ts/model';
import { type BenchOptions, type BenchRow, decode, prefill, scan, training } from '../bench/cases.js';
import { measureLimits } from '../bench/limits.js';
import { SHAPES } from '../bench/shapes.js';
import { JSON_OPTION, MODEL_OPTIONS, openBackend } from './model.js';
import type { Values } from './options.js';
import type { Verb } from './verb.js';

const CASES = ['prefill', 'decode', 'scan', 'training'] as const;
const PROMPTS = [512, 2048];
const DECODED = 128;
/** A layer of mamba-130m, and the training batch of a small model. */
const SCAN = { batch: 1, length: 2048, channels: 1536, states: 16 };
const TRAINING_SCAN = { batch: 8, length: 256, channels: 128, states: 16 };

export const bench: Verb = {
  name: 'bench',
  summary: "measure prefill, decoding, scan and training, beside this machine's own limits",
  example: 'mamba-ts bench --shape 130m --threads 1 --dtype int8',
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
    ...JSON_OPTION,
  },
  async run(values, io) {
    const cases = (values.text('cases') as string).split(',');
    const unknown = cases.find((name) => !(CASES as readonly string[]).includes(name));
    if (unknown !== undefined) {
      throw new MambaError('INVALID_ARGUMENT', `--cases has no "${unknown}"; there are ${CASES.join(',')}`);
    }
    const backend = await openBackend(values);
    try {
      const threads = backend.name === 'wasm' ? (values.number('threads') ?? (await cores())) : 1;
      const options: BenchOptions = {
        backend,
        threads,
        // A GPU has other limits than the processor's.
        limits: backend.name === 'webgpu' ? undefined : await measureLimits(threads),
        runs: values.number('runs') as number,
      };
      const rows: BenchRow[] = [];
      const add = (row: BenchRow) => {
        io.signal.throwIfAborted();
        rows.push(row);
        if (!values.flag('json')) io.out(line(row));
      };
      if (!values.flag('json')) io.out(header(options));
      if (cases.includes('scan')) {
        add(await scan(options, SCAN, false));
        add(await scan(options, TRAINING_SCAN, true));
      }
      if (cases.some((name) => name !== 'scan')) {
        const lm = await open(values, options);
        const shape = values.text('model') ?? (values.text('shape') as string);
        if (cases.includes('prefill'))
          for (const length of PROMPTS) add(await prefill(options, lm, shape, length));
        if (cases.includes('decode')) add(await decode(options, lm, shape, DECODED));
        lm.dispose();
        if (cases.includes('training')) {
          const small = await MambaLM.create(SHAPES['embedded'], { backend, seed: 1 });
          add(await training(options, small, 'embedded', 8, 256));
          small.dispose();
        }
      }
      if (values.flag('json')) io.out(`${JSON.stringify(rows)}\n`);
    } finally {
      await backend.dispose();
    }
  },
};

async function cores(): Promise<number> {
  return (await import('node:os')).availableParallelism();
}

function open(values: Values, { backend }: BenchOptions): Promise<MambaLM> {
  const dtype = values.text('dtype') as 'f64' | 'f32' | 'f16' | 'bf16' | 'int8';
  const folder = values.text('model');
  return folder === undefined
    ? MambaLM.create(SHAPES[values.text('shape') as string], { backend, seed: 1, dtype })
    : MambaLM.fromPretrained(folder, { backend, dtype });
}

function header({ backend, limits }: BenchOptions): string {
  const measured = limits
    ? `${(limits.flops / 1e9).toFixed(1)} GFLOP/s, ${(limits.bandwidth / 1e9).toFixed(1)} GB/s read`
    : 'no limits measured';
  return `${backend.description}: ${measured}\n`;
}

function line({ case: name, shape, dtype, value, unit, limit, share }: BenchRow): string {
  const against =
    limit === null ? '' : `  of ${limit.toPrecision(3)}: ${((share as number) * 100).toFixed(0)} %`;
  return `${name.padEnd(22)} ${shape.padEnd(26)} ${dtype.padEnd(5)} ${value.toPrecision(4).padStart(8)} ${unit}${against}\n`;
}
