import type { Backend, Tensor } from '@mamba-ts/backend';
import type { MambaConfig, MambaLM } from '@mamba-ts/model';
import { Random } from '@mamba-ts/ssm';
import { lossAndGradients } from '@mamba-ts/train';
import type { LimitProbe } from './limits.js';
import { medianAgainstLimit, medianSeconds, type Timing } from './timing.js';
import { decodeBytes, prefillFlops, type WeightType } from './work.js';

/** Tokens decoded between two looks at the memory's bandwidth. */
const DECODED_AT_ONCE = 16;

/** One figure of `mamba-ts bench`. */
export interface BenchRow {
  readonly case: string;
  readonly shape: string;
  readonly dtype: string;
  readonly backend: string;
  readonly threads: number;
  readonly value: number;
  readonly unit: string;
  /** What the machine's limit, as it was while this was measured, would allow, in the same unit; null where none was measured. */
  readonly limit: number | null;
  /** value / limit */
  readonly share: number | null;
}

export interface BenchOptions {
  readonly backend: Backend;
  readonly threads: number;
  /** None for a backend whose limits are not the processor's. */
  readonly probe: LimitProbe | undefined;
  readonly runs: number;
}

function row(
  { backend, threads }: BenchOptions,
  name: string,
  shape: string,
  dtype: string,
  value: number,
  unit: string,
  limit?: number,
): BenchRow {
  return {
    case: name,
    shape,
    dtype,
    backend: backend.name,
    threads,
    value,
    unit,
    limit: limit ?? null,
    share: limit === undefined ? null : value / limit,
  };
}

function tokensRow(
  options: BenchOptions,
  name: string,
  shape: string,
  { dtype }: MambaLM,
  tokens: number,
  { seconds, limit }: Timing,
): BenchRow {
  return row(options, name, shape, dtype, tokens / seconds, 'tokens/s', limit && tokens / limit);
}

/** Tokens a second of a prompt. The limit: the projections at the machine's arithmetic peak. */
export async function prefill(
  options: BenchOptions,
  lm: MambaLM,
  shape: string,
  length: number,
): Promise<BenchRow> {
  const ids = randomIds(lm.config, length);
  const { probe, runs } = options;
  const timing = await medianAgainstLimit(
    { runs, pieces: 1, work: length * prefillFlops(lm.config) },
    probe && (() => probe.measure('flops')),
    async () => {
      const state = lm.createState();
      const { logits } = await lm.prefill(ids, state);
      await logits.data();
      logits.dispose();
      state.dispose();
    },
  );
  return tokensRow(options, `prefill ${length}`, shape, lm, length, timing);
}

/** Tokens a second of greedy decoding. The limit: the weights and the state at the memory's read bandwidth. */
export async function decode(
  options: BenchOptions,
  lm: MambaLM,
  shape: string,
  tokens: number,
): Promise<BenchRow> {
  const { probe, runs } = options;
  const state = lm.createState();
  let token = 1;
  const pieces = Math.max(1, Math.round(tokens / DECODED_AT_ONCE));
  const each = tokens / pieces;
  const timing = await medianAgainstLimit(
    { runs, pieces, work: each * decodeBytes(lm.config, lm.dtype as WeightType) },
    probe && (() => probe.measure('bandwidth')),
    async () => {
      for (let i = 0; i < each; i++) {
        const { logits } = lm.step([token], state);
        const best = lm.backend.ops.argmax({ x: logits });
        [token] = await best.data();
        best.dispose();
        logits.dispose();
      }
    },
  );
  state.dispose();
  return tokensRow(options, `decode ${tokens}`, shape, lm, tokens, timing);
}

/** Milliseconds of a selective scan, forward, or forward and backward. */
export async function scan(
  options: BenchOptions,
  size: { batch: number; length: number; channels: number; states: number },
  backward: boolean,
): Promise<BenchRow> {
  const { backend } = options;
  const { batch, length, channels, states } = size;
  const random = new Random(1);
  const made: Tensor[] = [];
  const tensor = (shape: number[], value: () => number): Tensor => {
    const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, value);
    made.push(backend.tensor(data, shape));
    return made.at(-1) as Tensor;
  };
  const signed = () => 2 * random.next() - 1;
  const inputs = {
    u: tensor([batch, length, channels], signed),
    delta: tensor([batch, length, channels], () => 0.001 + 0.1 * random.next()),
    A: backend.tensor(
      Float32Array.from({ length: channels * states }, (_, i) => -1 - (i % states)),
      [channels, states],
    ),
    B: tensor([batch, length, states], signed),
    C: tensor([batch, length, states], signed),
    D: tensor([channels], () => 1),
  };
  made.push(inputs.A);
  const dy = tensor([batch, length, channels], signed);
  const seconds = await medianSeconds(options.runs, async () => {
    const last = backend.scope(() => {
      const { lastState } = backend.ops.selectiveScan(inputs);
      // A is real, and so is the state.
      return backward ? backend.ops.selectiveScanBackward(inputs, { dy }).dD : (lastState as Tensor);
    });
    // Little, and computed last: a queue has then done everything, and no large array must be made for it.
    await last?.data();
    last?.dispose();
  });
  for (const x of made) x.dispose();
  const shape = `B=${batch} L=${length} D=${channels} N=${states}`;
  return row(options, backward ? 'scan forward+backward' : 'scan', shape, 'f32', 1e3 * seconds, 'ms');
}

/** Tokens a second of loss and gradients. */
export async function training(
  options: BenchOptions,
  lm: MambaLM,
  shape: string,
  batch: number,
  length: number,
): Promise<BenchRow> {
  const ids = Array.from({ length: batch }, (_, b) => randomIds(lm.config, length, b));
  const seconds = await medianSeconds(options.runs, async () => {
    const { grads } = await lossAndGradients(lm, ids);
    for (const grad of grads.values()) grad.dispose();
  });
  const size = `${shape} B=${batch} L=${length}`;
  return row(options, 'training', size, lm.dtype, (batch * length) / seconds, 'tokens/s');
}

function randomIds({ vocabSize }: MambaConfig, length: number, seed = 0): number[] {
  const random = new Random(seed);
  return Array.from({ length }, () => random.int(vocabSize));
}
