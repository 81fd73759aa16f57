import { type Backend, MambaError, type Ops, type Tensor } from '@mamba-ts/backend';
import type { SourceLike } from '@mamba-ts/checkpoint';
import type { MambaConfig, MambaConfigInput } from './config/config.js';
import { createParameters } from './create.js';
import { Engine } from './engine.js';
import { fingerprint, sample } from './fingerprint.js';
import { type Completion, complete } from './generation/complete.js';
import { type Generated, generate } from './generation/generate.js';
import type { GenerateOptions } from './generation/options.js';
import type { Prompt } from './generation/prompts.js';
import { checkChunk, checkId, checkIds, DEFAULT_CHUNK, type TokenIds } from './ids.js';
import { type LoadOptions, loadModel } from './load.js';
import { parameterSpecs } from './parameters/list.js';
import { encodeModel, type SaveOptions, saveModel } from './save.js';
import { emptyLayers, restoreLayers } from './state/layers.js';
import { MambaState } from './state/state.js';
import type { Tokenizer } from './tokenizers/tokenizer.js';
import { activationDType, type WeightDType } from './weight-dtype.js';

export interface CreateOptions {
  readonly backend: Backend;
  /** Of the initial weights; default 0. */
  readonly seed?: number | undefined;
  /** Type of the weights, as in `LoadOptions`; default f32. */
  readonly dtype?: WeightDType | undefined;
  readonly tokenizer?: Tokenizer | undefined;
}

export interface ForwardOptions {
  /** A tape over `backend.ops` (see @mamba-ts/train). Then every tensor made is the caller's to free: use `backend.scope`. */
  readonly ops?: Ops | undefined;
  /** Also return the residual stream: the embedding, after each layer, and after the final norm. */
  readonly hidden?: boolean | undefined;
  /** Start from this state and leave it after the last token. Not on a tape. */
  readonly state?: MambaState | undefined;
  /** [B][L]: a number for each token; where it changes, a new sequence begins that knows nothing of the one before. */
  readonly seqIdx?: TokenIds | undefined;
}

export interface ForwardResult {
  /** [B, L, paddedVocabSize] */
  readonly logits: Tensor;
  /** With `hidden`: nLayer + 2 tensors [B, L, dModel]. */
  readonly hidden?: readonly Tensor[];
}

export interface PrefillOptions {
  /** Tokens computed at once; memory grows with it, and an abort waits for a chunk. Default 512. */
  readonly chunkSize?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a model is made of; `MambaLM.create` and `MambaLM.fromPretrained` make one. */
export interface ModelParts {
  readonly config: MambaConfig;
  readonly backend: Backend;
  readonly dtype: WeightDType;
  readonly tokenizer: Tokenizer | undefined;
  /** By official name. The model takes them over. */
  readonly parameters: ReadonlyMap<string, Tensor>;
  /** Of each parameter, for the fingerprint. */
  readonly samples: ReadonlyMap<string, Float32Array>;
}

/** A Mamba language model on a backend: the official `MambaLMHeadModel`. Free it with `dispose`. */
export class MambaLM {
  readonly config: MambaConfig;
  readonly backend: Backend;
  /** Type of the large weights. Activations and states are f32, or f64 where this is. */
  readonly dtype: WeightDType;
  readonly tokenizer: Tokenizer | undefined;
  /**
   * Names of the parameters that an optimiser must not decay: `A_log` and `D`, which the official code marks
   * `_no_weight_decay`; and, by the same rule of S4 for the parameters of the dynamics, `A_imag`, `log_A_real`, `log_dt`
   * and constant `B` of the other mixers. Norms and biases are not among them, as in the official code.
   */
  readonly noDecay: ReadonlySet<string>;
  readonly #parameters: ReadonlyMap<string, Tensor>;
  readonly #engine: Engine;
  #samples: ReadonlyMap<string, Float32Array> | undefined;

  /** For `create` and `fromPretrained`. */
  constructor({ config, backend, dtype, tokenizer, parameters, samples }: ModelParts) {
    this.config = config;
    this.backend = backend;
    this.dtype = dtype;
    this.tokenizer = tokenizer;
    this.#parameters = parameters;
    this.#samples = samples;
    this.#engine = new Engine(config, backend, activationDType(dtype), parameters);
    const specs = parameterSpecs(config);
    this.noDecay = new Set(specs.filter(({ decay }) => !decay).map(({ name }) => name));
  }

  /**
   * Loads a checkpoint: `config.json` and safetensors, original names or transformers' (`-hf`), with `tokenizer.json` if
   * it is there.
   * @param source a folder, a URL, files, files in memory, or a Hugging Face id; see `openSource` of @mamba-ts/checkpoint
   * @throws MambaError `CHECKPOINT_FORMAT`, `UNSUPPORTED_MODEL`, `IO`, `DTYPE`, `OUT_OF_MEMORY`, `ABORTED`; nothing stays
   * on the backend then
   */
  static async fromPretrained(source: SourceLike, options: LoadOptions): Promise<MambaLM> {
    return new MambaLM(await loadModel(source, options));
  }

  /**
   * A new model with the official initialisation, the same for a seed on every backend.
   * @throws MambaError `INVALID_ARGUMENT` (naming the field), `DTYPE`, `OUT_OF_MEMORY`
   */
  static async create(config: MambaConfigInput, options: CreateOptions): Promise<MambaLM> {
    return new MambaLM(createParameters(config, options));
  }

  /** Every parameter once (a tied head is the embedding) by its official name. They stay the model's. */
  parameters(): Map<string, Tensor> {
    this.#engine.check('parameters');
    return new Map(this.#parameters);
  }

  /** To be called when parameters were changed in place (`adamW`): forgets what was computed from them. */
  parametersChanged(): void {
    this.#engine.check('parametersChanged');
    this.#engine.parametersChanged();
    this.#samples = undefined;
  }

  /** The logits of every token. Synchronous: read them with `await logits.data()`, then dispose them. */
  forward(ids: TokenIds, options: ForwardOptions = {}): ForwardResult {
    const { ops, hidden = false, state, seqIdx } = options;
    const rows = this.#rows('forward', ids, state);
    if (ops && state) {
      throw new MambaError(
        'INVALID_ARGUMENT',
        'forward: a state cannot be moved along on a tape; give one of the two',
      );
    }
    const { logits, hidden: streams } = this.#engine.sequence(rows, {
      ops,
      state,
      seqIdx: seqIdx && this.#seqIdx(seqIdx, rows),
      hidden,
      logits: 'all',
      from: 0,
      to: rows[0]!.length,
    });
    return hidden ? { logits: logits!, hidden: streams } : { logits: logits! };
  }

  /** A state that has read nothing. */
  createState(batch = 1): MambaState {
    this.#engine.check('createState');
    if (!Number.isInteger(batch) || batch < 1) {
      throw new MambaError(
        'INVALID_ARGUMENT',
        `createState: batch must be a whole number above 0, not ${batch}`,
      );
    }
    return new MambaState(this, emptyLayers(this.config, this.backend, this.#engine.dtype, batch), batch, 0);
  }

  /**
   * A state from `state.save()` of this model, on whatever backend that was.
   * @throws MambaError `CHECKPOINT_FORMAT` if it is truncated, corrupted, of another version or another model's
   * (`details.reason`)
   */
  async restoreState(bytes: Uint8Array): Promise<MambaState> {
    this.#engine.check('restoreState');
    const { dtype } = this.#engine;
    const model = await this.fingerprint();
    const { layers, batch, position } = restoreLayers(this.config, this.backend, dtype, model, bytes);
    return new MambaState(this, layers, batch, position);
  }

  /**
   * Reads tokens into the state: any number, any number of times; the same as all at once.
   * @returns the logits after the last token, [B, paddedVocabSize]; the caller disposes them
   * @throws MambaError `ABORTED` between two chunks: the state has then read as many tokens as its `position` says
   */
  async prefill(ids: TokenIds, state: MambaState, options: PrefillOptions = {}): Promise<{ logits: Tensor }> {
    const rows = this.#rows('prefill', ids, state);
    const { chunkSize = DEFAULT_CHUNK, signal } = options;
    checkChunk('prefill', chunkSize);
    return state.exclusive('prefill', async () => ({
      logits: await this.#engine.prefill(rows, state, chunkSize, signal),
    }));
  }

  /**
   * Reads one token a row, in place. Logits [B, paddedVocabSize] are the caller's to dispose. (Where the backend can record
   * a step, two small tensors stay with the state from the second one on.)
   */
  step(tokens: ArrayLike<number>, state: MambaState): { logits: Tensor } {
    this.#engine.check('step');
    state.assertOf(this, 'step');
    state.assertFree('step');
    if (tokens.length !== state.batch) {
      throw new MambaError(
        'SHAPE',
        `step: ${tokens.length} tokens for a state of ${state.batch} rows; give one a row`,
      );
    }
    for (let r = 0; r < tokens.length; r++) {
      checkId(tokens[r], this.config.paddedVocabSize, `step: the token of row ${r}`);
    }
    return { logits: this.#engine.step(tokens, state) };
  }

  /**
   * Writes on from a prompt, token by token. One item a generated token and row: `text` is what became certain with it
   * (empty inside a character or a possible stop text). Leaving the loop stops the work and frees its memory.
   *
   * @param prompt text, token ids (no tokenizer needed), or several of either: rows of a batch, of any lengths; each row
   * is what it would be alone
   * @throws MambaError `INVALID_ARGUMENT`, `ABORTED`, when the first item is asked for or later
   */
  generate(
    prompt: Prompt | readonly Prompt[],
    options: GenerateOptions = {},
  ): AsyncGenerator<Generated, void, undefined> {
    return generate(this.#engine, this, prompt, options);
  }

  /** `generate`, gathered. A list of prompts gives a list. */
  complete(prompt: Prompt, options?: GenerateOptions): Promise<Completion>;
  complete(prompt: readonly Prompt[], options?: GenerateOptions): Promise<Completion[]>;
  complete(
    prompt: Prompt | readonly Prompt[],
    options: GenerateOptions = {},
  ): Promise<Completion | Completion[]> {
    return complete(this, prompt, options);
  }

  /**
   * Writes `config.json`, `model.safetensors` and the tokenizer's files into a folder (made if missing), each one
   * atomically.
   */
  save(folder: string, options: SaveOptions = {}): Promise<void> {
    this.#engine.check('save');
    return saveModel(this, this.#parameters, folder, options);
  }

  /** The files of `save`, by name: what `fromPretrained` also takes. */
  encode(options: SaveOptions = {}): Promise<Record<string, Uint8Array>> {
    this.#engine.check('encode');
    return encodeModel(this, this.#parameters, options);
  }

  /** 16 hexadecimal digits that name this model's architecture and weights, whatever the backend and the types. */
  async fingerprint(): Promise<string> {
    this.#engine.check('fingerprint');
    if (!this.#samples) {
      const samples = new Map<string, Float32Array>();
      for (const [name, tensor] of this.#parameters) samples.set(name, sample(await tensor.data()));
      this.#samples = samples;
    }
    return fingerprint(this.config, this.#samples);
  }

  /** Frees the weights. States and logits are their owners' to free. Idempotent. */
  dispose(): void {
    this.#engine.dispose();
  }

  #rows(what: string, ids: TokenIds, state: MambaState | undefined): ArrayLike<number>[] {
    this.#engine.check(what);
    const rows = checkIds(ids, this.config.paddedVocabSize, what);
    state?.assertOf(this, what);
    state?.assertFree(what);
    if (state && rows.length !== state.batch) {
      throw new MambaError('SHAPE', `${what}: ${rows.length} rows of tokens for a state of ${state.batch}`);
    }
    return rows;
  }

  #seqIdx(seqIdx: TokenIds, rows: readonly ArrayLike<number>[]): ArrayLike<number>[] {
    const index = checkIds(seqIdx, 2 ** 31, 'forward: seqIdx');
    if (index.length !== rows.length || index[0]!.length !== rows[0]!.length) {
      throw new MambaError('SHAPE', 'forward: seqIdx must have one number for each token');
    }
    return index;
  }
}
