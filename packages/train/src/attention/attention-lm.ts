import { type Backend, MambaError, type Ops, type Tensor } from '@mamba-ts/backend';
import { openCheckpoint, readJson, writeFileAtomic, writeSafetensors } from '@mamba-ts/checkpoint';
import { Random } from '@mamba-ts/ssm';
import { nodeModules } from '../node.js';
import type { Trainable } from '../trainable.js';
import { type AttentionWeights, attentionConstants, causalAttention } from './causal-attention.js';

export interface AttentionConfig {
  /** Width of the residual stream. */
  dModel: number;
  nLayer: number;
  /** They share dModel evenly; each has an even number of channels. Default dModel / 16, at least 1. */
  heads?: number | undefined;
  vocabSize: number;
  /**
   * Width of the gated MLP. Default 4/3 dModel, rounded up: a layer then has 8 dModel² weights, about as many as a Mamba
   * block of this width at sizes like 64.
   */
  mlpWidth?: number | undefined;
}

export interface AttentionOptions {
  backend: Backend;
  /** Of the initial weights. Default 0. */
  seed?: number | undefined;
  /** Default f32. */
  dtype?: 'f32' | 'f64' | undefined;
}

const MODEL_TYPE = 'mamba-ts-attention';
const NORM_EPS = 1e-5;

/**
 * A decoder-only Transformer, the baseline of the experiments: pre-norm (RMSNorm), causal multi-head attention with rotary
 * positions and normalised queries and keys, gated MLP, no biases, tied head. Rotary because it is the strongest of the plain choices on induction heads in
 * the paper's table 11 that can be asked for any length; learned positions end where training did.
 *
 * For training and evaluation only: it has no state, and reads whole sequences in memory that grows with the square of their
 * length.
 */
export class AttentionLM implements Trainable {
  readonly config: Required<{ [K in keyof AttentionConfig]: number }>;
  readonly backend: Backend;
  readonly noDecay: ReadonlySet<string> = new Set();
  readonly #parameters: ReadonlyMap<string, Tensor>;

  private constructor(config: AttentionLM['config'], backend: Backend, parameters: Map<string, Tensor>) {
    this.config = config;
    this.backend = backend;
    this.#parameters = parameters;
  }

  /**
   * Projections are uniform within 1 / sqrt(fan in), those that end a residual branch times 1 / sqrt(2 nLayer); the embedding
   * is normal(0.02), as Mamba's.
   * @throws MambaError `INVALID_ARGUMENT` for sizes that do not fit
   */
  static create(input: AttentionConfig, options: AttentionOptions): AttentionLM {
    const { backend, seed = 0, dtype = 'f32' } = options;
    const config = resolve(input);
    const random = new Random(seed);
    const parameters = backend.scope(() => {
      const made = new Map<string, Tensor>();
      for (const { name, shape, init } of specs(config)) {
        const data = Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => init(random));
        made.set(name, backend.tensor(data, shape, dtype));
      }
      return made;
    });
    return new AttentionLM(config, backend, parameters);
  }

  /**
   * Reads what `save` wrote (Node only).
   * @throws MambaError `CHECKPOINT_FORMAT` for a folder of anything else; `IO`
   */
  static async fromFolder(
    folder: string,
    { backend, dtype = 'f32' }: AttentionOptions,
  ): Promise<AttentionLM> {
    const checkpoint = await openCheckpoint(folder);
    const json = (await readJson(checkpoint.source, 'config.json')) as Record<string, unknown>;
    if (json['model_type'] !== MODEL_TYPE) {
      throw new MambaError(
        'CHECKPOINT_FORMAT',
        `${folder}: config.json does not say model_type ${MODEL_TYPE}: this is no attention baseline of mamba-ts`,
      );
    }
    const config = resolve(json['config'] as AttentionConfig);
    const parameters = new Map<string, Tensor>();
    for (const { name, shape } of specs(config)) {
      const { data, shape: found } = await checkpoint.read(name);
      if (String(found) !== String(shape)) {
        throw new MambaError('CHECKPOINT_FORMAT', `${folder}: ${name} is [${found}], expected [${shape}]`);
      }
      parameters.set(name, backend.tensor(data as Float32Array, shape, dtype));
    }
    return new AttentionLM(config, backend, parameters);
  }

  parameters(): ReadonlyMap<string, Tensor> {
    return this.#parameters;
  }

  /** Writes `config.json` and `model.safetensors` (Node only). */
  async save(folder: string): Promise<void> {
    const { fs, path } = nodeModules();
    await fs.mkdir(folder, { recursive: true });
    const tensors = [...this.#parameters].map(
      ([name, tensor]) =>
        [
          name,
          { dtype: tensor.dtype as 'f32' | 'f64', shape: tensor.shape, data: () => tensor.data() },
        ] as const,
    );
    await writeSafetensors(path.join(folder, 'model.safetensors'), tensors);
    const json = { model_type: MODEL_TYPE, config: this.config };
    await writeFileAtomic(path.join(folder, 'config.json'), `${JSON.stringify(json, null, 2)}\n`);
  }

  dispose(): void {
    for (const tensor of this.#parameters.values()) tensor.dispose();
  }

  forward(ids: number[][], { ops = this.backend.ops }: { ops?: Ops } = {}): { logits: Tensor } {
    const { backend } = this;
    if (ops !== backend.ops) return { logits: this.#forward(ids, ops, (run) => run()) };
    return { logits: backend.scope(() => this.#forward(ids, ops, (run) => backend.scope(run))) };
  }

  /** All tokens of all sequences are rows of one matrix [B L, D], but in attention, which is a sequence's own. */
  #forward(ids: number[][], ops: Ops, scope: <T>(run: () => T) => T): Tensor {
    const { backend, config } = this;
    const { dModel, heads, nLayer, mlpWidth } = config;
    const batch = ids.length;
    const length = ids[0]!.length;
    const weight = (name: string) => this.#parameters.get(name)!;
    const embedding = weight('embedding.weight');
    const dtype = embedding.dtype as 'f32' | 'f64';
    const norm = (name: string, x: Tensor, residual?: Tensor) =>
      ops.rmsNorm({ x, residual, weight: weight(`${name}.weight`), eps: NORM_EPS });
    const constants = attentionConstants(backend, length, dModel, dModel / heads, dtype);

    const tokens = backend.tensor(Int32Array.from(ids.flat()), [batch * length], 'i32');
    let x = ops.embedding({ ids: tokens, weight: embedding });
    let residual: Tensor | undefined;
    for (let i = 0; i < nLayer; i++) {
      const layer = `layers.${i}`;
      ({ x, residual } = scope(() => {
        const first = norm(`${layer}.norm1`, x, residual);
        const weights = Object.fromEntries(
          ['q', 'k', 'v', 'out', 'qNorm', 'kNorm'].map((name) => [
            name,
            weight(`${layer}.attention.${name}.weight`),
          ]),
        ) as unknown as AttentionWeights;
        const sequences = ops.split({ x: first.y, sizes: new Array(batch).fill(length), axis: 0 });
        const attended = sequences.map((sequence) =>
          scope(() => causalAttention(ops, scope, sequence, weights, constants)),
        );
        const second = norm(`${layer}.norm2`, ops.concat({ tensors: attended, axis: 0 }), first.residual);
        const [up, gate] = ops.split({
          x: ops.linear({ x: second.y, weight: weight(`${layer}.mlp.fc1.weight`) }),
          sizes: [mlpWidth, mlpWidth],
          axis: 1,
        });
        const gated = ops.mul({ a: up!, b: ops.silu({ x: gate! }) });
        const y = ops.linear({ x: gated, weight: weight(`${layer}.mlp.fc2.weight`) });
        return { x: y, residual: second.residual };
      }));
    }
    const { y } = norm('norm', x, residual);
    // [B L, D] -> [B, L, D]: the contract has no reshape, but looking rows up by number is one.
    const places = backend.tensor(
      Int32Array.from({ length: batch * length }, (_, i) => i),
      [batch, length],
      'i32',
    );
    return ops.linear({ x: ops.embedding({ ids: places, weight: y }), weight: embedding });
  }
}

function resolve(input: AttentionConfig): AttentionLM['config'] {
  const { dModel, nLayer, vocabSize } = input;
  const { heads = Math.max(1, Math.floor(dModel / 16)), mlpWidth = Math.ceil((4 * dModel) / 3) } = input;
  const config = { dModel, nLayer, heads, vocabSize, mlpWidth };
  for (const [name, value] of Object.entries(config)) {
    if (!Number.isInteger(value) || value < 1) {
      throw new MambaError(
        'INVALID_ARGUMENT',
        `attention: ${name} must be an integer of at least 1, not ${value}`,
      );
    }
  }
  if (dModel % (2 * heads) !== 0) {
    throw new MambaError(
      'INVALID_ARGUMENT',
      `attention: ${heads} heads do not share a width of ${dModel} evenly, with an even number of channels each`,
    );
  }
  return config;
}

interface Spec {
  name: string;
  shape: number[];
  init(random: Random): number;
}

function specs({ dModel, nLayer, heads, vocabSize, mlpWidth }: AttentionLM['config']): Spec[] {
  const vector = (name: string, size: number, value: number): Spec => ({
    name: `${name}.weight`,
    shape: [size],
    init: () => value,
  });
  const norm = (name: string) => vector(name, dModel, 1);
  const headSize = dModel / heads;
  const matrix = (name: string, rows: number, columns: number, scale = 1): Spec => ({
    name: `${name}.weight`,
    shape: [rows, columns],
    init: (random) => ((2 * random.next() - 1) * scale) / Math.sqrt(columns),
  });
  const branch = 1 / Math.sqrt(2 * nLayer);
  const layer = (name: string): Spec[] => [
    norm(`${name}.norm1`),
    ...['q', 'k', 'v'].map((part) => matrix(`${name}.attention.${part}`, dModel, dModel)),
    matrix(`${name}.attention.out`, dModel, dModel, branch),
    // Scores are sqrt(d) times the cosine of query and key to begin with.
    ...['qNorm', 'kNorm'].map((part) => vector(`${name}.attention.${part}`, headSize, headSize ** -0.25)),
    norm(`${name}.norm2`),
    matrix(`${name}.mlp.fc1`, 2 * mlpWidth, dModel),
    matrix(`${name}.mlp.fc2`, dModel, mlpWidth, branch),
  ];
  return [
    {
      name: 'embedding.weight',
      shape: [vocabSize, dModel],
      init: (random) => 0.02 * random.normal(),
    },
    ...Array.from({ length: nLayer }, (_, i) => layer(`layers.${i}`)).flat(),
    norm('norm'),
  ];
}
