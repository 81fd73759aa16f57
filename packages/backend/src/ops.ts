import type { ComplexTensor, MaybeComplex, Tensor } from './tensor.js';

/*
 * The operations of a backend. Letters in shapes: B batch, L length, D channels, N state size, G groups of channels that
 * share a row of B and C, W convolution width, E width of the residual stream, R rank of Δ, V vocabulary; `...` any leading
 * axes.
 *
 * Functional: every op returns new tensors and leaves its inputs alone, except those that say "in place"
 * (`selectiveScanStep`, `causalConv1dStep`, `adamW`, `mambaStep`). Absent options are `undefined`. All floating inputs of a call have
 * one dtype (f32, or f64 on cpu), except the weights of `linear` and `embedding` and the projections of `mambaStep`, which
 * may be f16, bf16 or int8.
 * A gradient has the shape of what it is the gradient of, and is returned only if that input was given; the gradient of an
 * f16, bf16 or int8 weight is f32.
 * Gradients of complex tensors follow torch: dL/dRe + i dL/dIm.
 *
 * No axis may be empty, but for the state of a convolution of width 1, which is [B, 0, D]: `add`, `mul`, `silu`, `exp`,
 * `split`, `concat` and `copy` take any shape. Arguments that do not fit throw `SHAPE`, `DTYPE` or `INVALID_ARGUMENT` (the
 * `check...` functions of this package do it for every backend), tensors that were disposed `DISPOSED`.
 */

export interface EmbeddingInputs {
  /** [...] i32; an id outside [0, V) is undefined behaviour that backends report as `SHAPE` where they can see it. */
  ids: Tensor;
  /** [V, D] */
  weight: Tensor;
}

export interface LinearInputs {
  /** [..., in] */
  x: Tensor;
  /** [out, in], as torch */
  weight: Tensor;
  /** [out] */
  bias?: Tensor | undefined;
}

export interface RmsNormInputs {
  /** [..., D] */
  x: Tensor;
  /** [D] */
  weight: Tensor;
  eps: number;
  /** [..., D]: added to x first */
  residual?: Tensor | undefined;
}

export interface LayerNormInputs extends RmsNormInputs {
  /** [D] */
  bias?: Tensor | undefined;
}

export interface NormOutputs {
  /** The normalised sum, times the weight. */
  y: Tensor;
  /** x + residual; x itself (the same tensor) when no residual was given. */
  residual: Tensor;
}

export interface CausalConv1dInputs {
  /** [B, L, D] */
  x: Tensor;
  /** [D, W]; column W-1 multiplies the current token */
  weight: Tensor;
  /** [D] */
  bias?: Tensor | undefined;
  activation?: 'silu' | undefined;
  /** [B, W-1, D], oldest first: the inputs before the first token. Zeros when absent. */
  initialState?: Tensor | undefined;
  /** [B, L] i32: tokens of another sequence count as zeros. The initial state belongs to the first token's sequence. */
  seqIdx?: Tensor | undefined;
}

export interface CausalConv1dOutputs {
  /** [B, L, D] */
  y: Tensor;
  /** [B, W-1, D]: the last inputs of the last token's sequence, oldest first */
  lastState: Tensor;
}

export interface SelectiveScanInputs {
  /** [B, L, D] */
  u: Tensor;
  /** [B, L, D], before bias and softplus */
  delta: Tensor;
  /** [D, N]; complex: one of each conjugate pair, y = 2 Re(C h) */
  A: MaybeComplex;
  /**
   * [B, L, N], [B, L, G, N] (channel d uses group floor(d / (D/G))) or constant [D, N]. With complex A each of B and C
   * may be `{ re, im }` of these shapes, or the official packing of a variable one: real [B, 2L, N] or [B, 2L, G, N]
   * with re and im in turn along L; a plain real tensor is a complex one without imaginary part.
   */
  B: MaybeComplex;
  C: MaybeComplex;
  /** [D]: skip connection */
  D?: Tensor | undefined;
  /** [B, L, D]: gate, y * silu(z) */
  z?: Tensor | undefined;
  /** [D] */
  deltaBias?: Tensor | undefined;
  /** softplus(delta + deltaBias), identity above 20 */
  softplus?: boolean | undefined;
  /** [B, D, N], complex with complex A. Zeros when absent. */
  initialState?: MaybeComplex | undefined;
  /** [B, L] i32: the state is reset to zero where the index changes. The initial state belongs to the first token's sequence. */
  seqIdx?: Tensor | undefined;
  /**
   * How B becomes discrete; A always by zero-order hold.
   * - `mamba` (default), also called `euler`: Δ B, as the published checkpoints need.
   * - `zoh`: (exp(Δ A) - 1) / A B, the paper's equation 4.
   */
  discretization?: 'mamba' | 'euler' | 'zoh' | undefined;
}

export interface SelectiveScanOutputs {
  /** [B, L, D] */
  y: Tensor;
  /** [B, D, N], complex with complex A */
  lastState: MaybeComplex;
}

export interface SelectiveScanGradients {
  du: Tensor;
  ddelta: Tensor;
  dA: MaybeComplex;
  dB: MaybeComplex;
  dC: MaybeComplex;
  dD?: Tensor;
  dz?: Tensor;
  dDeltaBias?: Tensor;
  dInitialState?: MaybeComplex;
}

/**
 * One token: `u`, `delta`, `z` are [B, D]; `B`, `C` are [B, N], [B, G, N] or constant [D, N] (with complex A `{ re, im }` of
 * these, or real ones without imaginary part).
 */
export interface SelectiveScanStepInputs extends Omit<SelectiveScanInputs, 'initialState' | 'seqIdx'> {
  /** [B, D, N], complex with complex A: updated in place */
  state: MaybeComplex;
  /**
   * Which of B and C are constant [D, N]. Needed only where the batch is as large as the channels: there [B, N] looks the
   * same, and is what is assumed. Elsewhere the shape tells.
   */
  constant?: readonly ('B' | 'C')[] | undefined;
}

/** One token: `x` is [B, D]. */
export interface CausalConv1dStepInputs extends Omit<CausalConv1dInputs, 'initialState' | 'seqIdx'> {
  /** [B, W-1, D]: updated in place */
  state: Tensor;
}

/** h_t = a_t h_{t-1} + b_t */
export interface LinearRecurrenceInputs {
  /** [B, L, D] */
  a: Tensor;
  /** [B, L, D] */
  b: Tensor;
  /** [B, D] */
  initialState?: Tensor | undefined;
  /** How to compute it; the result is the same up to rounding. A backend may take either as a hint. */
  algorithm?: 'sequential' | 'associative' | undefined;
}

export interface S4dKernelInputs {
  /** [D], after exp */
  dt: Tensor;
  /** [D, N]: one of each conjugate pair */
  A: ComplexTensor;
  /** [D, N]: output times input matrix (B = 1) */
  C: ComplexTensor;
  length: number;
}

export interface LongConvInputs {
  /** [B, L, D] */
  x: Tensor;
  /** [D, K]; y_t = sum_{j <= min(t, K-1)} kernel_j x_{t-j} + D x_t */
  kernel: Tensor;
  /** [D]: skip connection */
  D?: Tensor | undefined;
}

export interface CrossEntropyInputs {
  /** [..., V] */
  logits: Tensor;
  /** [...] i32 */
  targets: Tensor;
  /** Targets of this value do not count. Default -100, as torch. */
  ignoreIndex?: number | undefined;
}

/** One token through a whole Mamba block: weights by their official names. Each projection has an element type of its own. */
export interface MambaStepInputs {
  /** [B, E] */
  x: Tensor;
  /** [B, E]: added to x first */
  residual?: Tensor | undefined;
  /** [E] */
  normWeight: Tensor;
  eps: number;
  /** [2 D, E]: the rows of u, then those of z */
  inProj: Tensor;
  /** [D, W] */
  convWeight: Tensor;
  /** [D] */
  convBias?: Tensor | undefined;
  /** [B, W-1, D], oldest first: updated in place */
  convState: Tensor;
  /** [R + 2 N, D]: the rows of Δ, B, C */
  xProj: Tensor;
  /** [D, R] */
  dtProj: Tensor;
  /** [D] */
  dtBias: Tensor;
  /** [D, N], real: -exp(A_log) */
  A: Tensor;
  /** [D]: skip connection */
  D?: Tensor | undefined;
  /** [B, D, N]: updated in place */
  state: Tensor;
  /** [E, D] */
  outProj: Tensor;
}

/** How one token a row is chosen from its logits. */
export interface SampleInputs {
  /** [B, V] */
  logits: Tensor;
  /** [B], numbers in [0, 1): where in its distribution each row is drawn. Needed unless `temperature` is 0. */
  uniform?: Tensor | undefined;
  /** 0: the largest logit, and nothing below is looked at. */
  temperature: number;
  /** Keep the K largest logits, the lower id of equals; 0 (default) keeps all. */
  topK?: number | undefined;
  /** Of these, keep the fewest most probable ones whose probabilities sum up to P, the lower id of equals; 1 (default) keeps all. */
  topP?: number | undefined;
  /** Of these, keep those at least P times as probable as the most probable; 0 (default) keeps all. */
  minP?: number | undefined;
  /** Ids from here on (padding of the logits) do not exist. Default V. */
  vocabulary?: number | undefined;
}

export interface AdamWInputs {
  /** Updated in place. */
  param: Tensor;
  grad: Tensor;
  /** First and second moment: updated in place. */
  m: Tensor;
  v: Tensor;
  /** Counts from 1: bias correction. */
  step: number;
  lr: number;
  beta1: number;
  beta2: number;
  eps: number;
  /** Decoupled; the caller gives 0 for what must not decay. */
  weightDecay: number;
  /** [] from `gradNorm`: with `maxNorm`, the gradient is scaled by min(1, maxNorm / (norm + 1e-6)), as torch. */
  norm?: Tensor | undefined;
  maxNorm?: number | undefined;
}

export interface Ops {
  /** -> [..., D] f32 (f64 for an f64 weight) */
  embedding(inputs: EmbeddingInputs): Tensor;
  embeddingBackward(inputs: EmbeddingInputs, grads: { dy: Tensor }): { dweight: Tensor };

  /** x weight^T + bias -> [..., out] */
  linear(inputs: LinearInputs): Tensor;
  linearBackward(
    inputs: LinearInputs,
    grads: { dy: Tensor },
  ): { dx: Tensor; dweight: Tensor; dbias?: Tensor };

  /** r = x + residual; y = r / sqrt(mean(r²) + eps) * weight */
  rmsNorm(inputs: RmsNormInputs): NormOutputs;
  /** `dresidual`: gradient of the residual output. Gradient of the residual input equals `dx`: it is returned as such. */
  rmsNormBackward(
    inputs: RmsNormInputs,
    grads: { dy: Tensor; dresidual?: Tensor | undefined },
  ): { dx: Tensor; dweight: Tensor };
  /** r = x + residual; y = (r - mean) / sqrt(var + eps) * weight + bias */
  layerNorm(inputs: LayerNormInputs): NormOutputs;
  layerNormBackward(
    inputs: LayerNormInputs,
    grads: { dy: Tensor; dresidual?: Tensor | undefined },
  ): { dx: Tensor; dweight: Tensor; dbias?: Tensor };

  /** Depthwise causal convolution with state and packing. */
  causalConv1d(inputs: CausalConv1dInputs): CausalConv1dOutputs;
  causalConv1dBackward(
    inputs: CausalConv1dInputs,
    grads: { dy: Tensor; dLastState?: Tensor | undefined },
  ): { dx: Tensor; dweight: Tensor; dbias?: Tensor; dInitialState?: Tensor };
  /** -> y [B, D]; the state is updated in place */
  causalConv1dStep(inputs: CausalConv1dStepInputs): Tensor;

  /**
   * Δ = softplus(delta + deltaBias); h_t = exp(Δ_t A) h_{t-1} + Δ_t B_t u_t; y_t = C_t h_t + D u_t; y silu(z).
   * (arXiv 2312.00752, section 3; the official `selective_scan_fn`, channels last.)
   */
  selectiveScan(inputs: SelectiveScanInputs): SelectiveScanOutputs;
  /** States are computed again from chunk boundaries, never stored. Deterministic. */
  selectiveScanBackward(
    inputs: SelectiveScanInputs,
    grads: { dy: Tensor; dLastState?: MaybeComplex | undefined },
  ): SelectiveScanGradients;
  /** -> y [B, D]; the state is updated in place */
  selectiveScanStep(inputs: SelectiveScanStepInputs): Tensor;

  linearRecurrence(inputs: LinearRecurrenceInputs): { h: Tensor; lastState: Tensor };
  linearRecurrenceBackward(
    inputs: LinearRecurrenceInputs,
    grads: { dh: Tensor; dLastState?: Tensor | undefined },
  ): { da: Tensor; db: Tensor; dInitialState?: Tensor };

  /** K[d, l] = 2 Re sum_n C_n (exp(dt A_n) - 1) / A_n exp(dt A_n l) -> [D, length] (S4D, zero-order hold) */
  s4dKernel(inputs: S4dKernelInputs): Tensor;
  s4dKernelBackward(
    inputs: S4dKernelInputs,
    grads: { dkernel: Tensor },
  ): { ddt: Tensor; dA: ComplexTensor; dC: ComplexTensor };
  /** Causal convolution with one long kernel a channel -> [B, L, D] */
  longConv(inputs: LongConvInputs): Tensor;
  longConvBackward(
    inputs: LongConvInputs,
    grads: { dy: Tensor },
  ): { dx: Tensor; dkernel: Tensor; dD?: Tensor };

  add(inputs: { a: Tensor; b: Tensor }): Tensor;
  mul(inputs: { a: Tensor; b: Tensor }): Tensor;
  silu(inputs: { x: Tensor }): Tensor;
  siluBackward(inputs: { x: Tensor }, grads: { dy: Tensor }): { dx: Tensor };
  /** sign * exp(x), sign 1 unless said: A = -exp(A_log). Its gradient is dy * y. */
  exp(inputs: { x: Tensor; sign?: 1 | -1 | undefined }): Tensor;

  /**
   * Cuts `axis` into pieces of these sizes (their sum is the axis): each one's gradient is `concat`. f32, f64 or i32. A negative
   * axis counts from the last one, -1.
   */
  split(inputs: { x: Tensor; sizes: readonly number[]; axis: number }): Tensor[];
  /** The reverse of `split`: tensors of one type, and of one shape but for `axis`. */
  concat(inputs: { tensors: readonly Tensor[]; axis: number }): Tensor;
  /** Of any type. */
  copy(inputs: { x: Tensor }): Tensor;
  /** A tensor of one value; f32 unless said. A constant: it has no gradient. */
  fill(inputs: {
    shape: readonly number[];
    value: number;
    dtype?: 'f32' | 'f64' | 'i32' | undefined;
  }): Tensor;

  /** Mean over the targets that count -> []; 0 if none does */
  crossEntropy(inputs: CrossEntropyInputs): Tensor;
  /** `dloss` is [] */
  crossEntropyBackward(inputs: CrossEntropyInputs, grads: { dloss: Tensor }): { dlogits: Tensor };

  /** Over the last axis; the first of equals; i32 */
  argmax(inputs: { x: Tensor }): Tensor;

  /** sqrt of the sum of squares over all the tensors -> [] */
  gradNorm(inputs: { grads: readonly Tensor[] }): Tensor;
  /** One optimiser step, in place: `param`, `m`, `v`. */
  adamW(inputs: AdamWInputs): void;
}

/**
 * Ops that a backend may have beside `Ops`, where it computes them faster than the ops that they stand for: the model asks
 * `supports` and goes the long way where they are missing. None has a gradient.
 */
export interface OptionalOps {
  /**
   * residual' = x + residual (x itself when no residual was given); y = outProj(mixer(rmsNorm(residual'))): `rmsNorm`,
   * `linear`, `causalConv1dStep` with silu, `linear` twice, `selectiveScanStep` with softplus and gate, `linear`. Both states
   * are updated in place.
   */
  mambaStep(inputs: MambaStepInputs): { y: Tensor; residual: Tensor };

  /**
   * The next token of each row. With p = softmax(logits / temperature) over the ids that are kept, in the order of their ids:
   * the first where the cumulative sum of p is more than `uniform`. At temperature 0 the largest logit, the first of equals.
   * `token` is [B] i32. `logprob` [B] is the token's log-probability under the logits as they are, before temperature and
   * filters; not finite where the logits are no distribution (the token is then undefined).
   */
  sample(inputs: SampleInputs): { token: Tensor; logprob: Tensor };
}

export type OpName = keyof Ops;
export type OptionalOpName = keyof OptionalOps;
