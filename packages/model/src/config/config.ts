/**
 * What defines a Mamba language model. Normalised: the same whether it was read from an original `config.json`, a
 * transformers one (`-hf`), or given to `MambaLM.create`. Names follow the official constructor, in camel case.
 */
export interface MambaConfig {
  /** Width of the residual stream. */
  readonly dModel: number;
  readonly nLayer: number;
  /** Token ids that mean something. */
  readonly vocabSize: number;
  /** The embedding's rows are rounded up to a multiple of this; 8 by default, as the official code does. */
  readonly padVocabSizeMultiple: number;
  /** Rows of the embedding and width of the logits: `vocabSize` rounded up to `padVocabSizeMultiple`. */
  readonly paddedVocabSize: number;
  /** Channels of the mixer: floor(expand * dModel) unless said. */
  readonly dInner: number;
  /** N: real numbers of state a channel. With complex A they are N / 2 conjugate pairs. */
  readonly dState: number;
  /** Width of the causal convolution. */
  readonly dConv: number;
  readonly expand: number;
  /** Rank of the projection to Δ; `auto` is ceil(dModel / 16). */
  readonly dtRank: number;
  /** Initial step sizes are log-uniform in [dtMin, dtMax], at least dtInitFloor. */
  readonly dtMin: number;
  readonly dtMax: number;
  readonly dtInitFloor: number;
  /** Scale of the initial `dt_proj.weight`. */
  readonly dtScale: number;
  readonly dtInit: 'random' | 'constant';
  /** Biases in `in_proj` and `out_proj`. */
  readonly bias: boolean;
  readonly convBias: boolean;
  /** RMSNorm; otherwise LayerNorm. */
  readonly rmsNorm: boolean;
  readonly normEps: number;
  /** Kept for writing: here the residual stream is always in the activations' type. */
  readonly residualInFp32: boolean;
  /** The head is the embedding. */
  readonly tieEmbeddings: boolean;
  /** Above 0: a gated MLP of this width (rounded up to a multiple of 128, as the official one) follows each mixer. */
  readonly dIntermediate: number;
  /** `s6`: Mamba. `s4d`: linear time-invariant, complex diagonal, in the same block. */
  readonly mixer: 's6' | 's4d';
  /** Which of s6's parameters depend on the input (table 7 of the paper). All false for s4d. */
  readonly selective: { readonly delta: boolean; readonly B: boolean; readonly C: boolean };
  /** Complex diagonal A (table 8). Always true for s4d. */
  readonly complexA: boolean;
  /** The branch that multiplies the mixer's output by silu(z). */
  readonly gate: boolean;
  /** `bytes`: the model reads bytes. Otherwise its tokenizer, if any, is in `tokenizer.json`. */
  readonly tokenizer: 'bytes' | undefined;
  readonly bosTokenId: number | undefined;
  /** Any of these ends a generated row. */
  readonly eosTokenIds: readonly number[];
  readonly padTokenId: number | undefined;
}

/** What `MambaLM.create` takes: dModel, nLayer and vocabSize (not needed with `tokenizer: 'bytes'`); the rest has defaults. */
export type MambaConfigInput = Pick<MambaConfig, 'dModel' | 'nLayer'> &
  Partial<Omit<MambaConfig, 'dModel' | 'nLayer' | 'dtRank' | 'selective'>> & {
    readonly dtRank?: number | 'auto';
    readonly selective?: { readonly delta?: boolean; readonly B?: boolean; readonly C?: boolean };
  };

/** Width of the MLP of `config`, 0 for none. */
export function mlpWidth(config: MambaConfig): number {
  return Math.ceil(config.dIntermediate / 128) * 128;
}

/** Width of N in the tensors A, B, C and state: pairs where A is complex. */
export function stateColumns(config: MambaConfig): number {
  return config.complexA ? config.dState / 2 : config.dState;
}
