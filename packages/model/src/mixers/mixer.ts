import type { Backend, MaybeComplex, Ops, SelectiveScanInputs, Tensor } from '@mamba-ts/backend';
import type { MambaConfig } from '../config/config.js';
import type { ParameterSpec } from '../parameters/spec.js';

/** Where a forward pass runs. `ops` may be a tape: then nothing is freed, and nothing derived from weights is reused. */
export interface Run {
  readonly config: MambaConfig;
  readonly backend: Backend;
  readonly ops: Ops;
  /** Type of the activations. */
  readonly dtype: 'f32' | 'f64';
  /** `backend.scope`, or, on a tape, just the call. */
  readonly scope: <T>(run: () => T) => T;
  /** Disposes a tensor; on a tape, nothing. */
  readonly free: (tensor: Tensor) => void;
}

/** Tensors of one module by their names inside it. */
export type Weights = Readonly<Record<string, Tensor>>;

/** The inputs of the scan that follow from the weights alone: computed once for many tokens. */
export type ScanConstants = Pick<
  SelectiveScanInputs,
  'A' | 'D' | 'deltaBias' | 'softplus' | 'discretization'
> &
  Partial<Pick<SelectiveScanInputs, 'B' | 'C'>>;

export interface MixerInputs {
  readonly weights: Weights;
  readonly constants: ScanConstants;
  /** [B, L, D] ([B, D] for a step): what the convolution gives. */
  readonly u: Tensor;
  /** Gate, shaped as `u`; absent where the model has none. */
  readonly z: Tensor | undefined;
}

export interface MixerSequence extends MixerInputs {
  readonly initialState: MaybeComplex | undefined;
  /** [B, L] i32 */
  readonly seqIdx: Tensor | undefined;
  /** Whether the caller wants `lastState`: without it s4d can convolve. */
  readonly wantState: boolean;
}

/** The part of a Mamba block between the convolution and the output projection. A new mixer is one file with this shape. */
export interface Mixer {
  /** Its parameters, beside the block's, with names inside the block. */
  parameters(config: MambaConfig): ParameterSpec[];
  constants(run: Run, weights: Weights): ScanConstants;
  /** A whole sequence. `lastState` is there if it was wanted. */
  forward(run: Run, inputs: MixerSequence): { y: Tensor; lastState?: MaybeComplex };
  /** One token; `state` [B, D, N] is updated in place. */
  step(run: Run, inputs: MixerInputs & { readonly state: MaybeComplex }): Tensor;
}
