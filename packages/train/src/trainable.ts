import type { Backend, Ops, Tensor } from '@mamba-ts/backend';

/** What a model remembers of the tokens it has read. */
export interface StreamState {
  dispose(): void;
}

/** What the tape, the trainer and the evaluation need of a model: `MambaLM` is one. */
export interface Trainable {
  readonly backend: Backend;
  /** By name in the state dict; each tensor once. */
  parameters(): ReadonlyMap<string, Tensor>;
  /** Names of the parameters that weight decay leaves alone. */
  readonly noDecay: ReadonlySet<string>;
  /**
   * ids [B][L] -> logits [B, L, V]. With `ops` every op runs there, and nothing is freed. With `state` the sequence goes on
   * from there, and the state moves to its end.
   */
  forward(
    ids: number[][],
    options?: { ops?: Ops | undefined; state?: StreamState | undefined },
  ): { logits: Tensor };
  /** Called when the values of the parameters have changed. */
  parametersChanged?(): void;
  /** A model without it (attention) is evaluated on whole sequences, in memory that grows with them. */
  createState?(batch: number): StreamState;
  /** Reads ids [B][L] into the state, in chunks; only the last logits [B, V]. Used where no position counts. */
  prefill?(
    ids: number[][],
    state: StreamState,
    options?: { chunkSize?: number | undefined; signal?: AbortSignal | undefined },
  ): Promise<{ logits: Tensor }>;
}
