import type { ComplexTensor, MaybeComplex, OpName, Ops, Tensor } from '@mamba-ts/backend';
import { isComplex } from '@mamba-ts/backend';

/** One run of an op, as its rule sees it. */
export interface Run<K extends OpName> {
  /** The backend's own ops: nothing that a rule runs is recorded. */
  ops: Ops;
  inputs: Parameters<Ops[K]>[0];
  outputs: ReturnType<Ops[K]>;
  /** The gradient that reached an output; undefined if none did. */
  reached(output: Tensor): Tensor | undefined;
  /** The same, with zeros for undefined. */
  d(output: Tensor): Tensor;
}

/** An input and its gradient. Absent inputs and gradients say nothing. */
export type Contribution = readonly [input: MaybeComplex | undefined, gradient: MaybeComplex | undefined];

/** From the gradients of an op's outputs to those of its inputs. Runs only if at least one output has a gradient. */
export type Rule<K extends OpName> = (run: Run<K>) => readonly Contribution[];

/** Why a tape does not run an op. */
export type Refusal = 'in-place' | 'no-gradient';

/** What the tape does with each op: its rule, a refusal, or `constant` (runs; its result has no gradient). */
export const RULES: { readonly [K in OpName]: Rule<K> | Refusal | 'constant' } = {
  embedding: ({ ops, inputs, outputs, d }) => [
    [inputs.weight, ops.embeddingBackward(inputs, { dy: d(outputs) }).dweight],
  ],

  linear: ({ ops, inputs, outputs, d }) => {
    const { dx, dweight, dbias } = ops.linearBackward(inputs, { dy: d(outputs) });
    return [
      [inputs.x, dx],
      [inputs.weight, dweight],
      [inputs.bias, dbias],
    ];
  },

  // Without a residual input the residual output is x itself: what reaches it is already among x's gradients.
  rmsNorm: ({ ops, inputs, outputs, d, reached }) => {
    const dresidual = inputs.residual && reached(outputs.residual);
    const { dx, dweight } = ops.rmsNormBackward(inputs, { dy: d(outputs.y), dresidual });
    return [
      [inputs.x, dx],
      [inputs.residual, dx],
      [inputs.weight, dweight],
    ];
  },

  layerNorm: ({ ops, inputs, outputs, d, reached }) => {
    const dresidual = inputs.residual && reached(outputs.residual);
    const { dx, dweight, dbias } = ops.layerNormBackward(inputs, { dy: d(outputs.y), dresidual });
    return [
      [inputs.x, dx],
      [inputs.residual, dx],
      [inputs.weight, dweight],
      [inputs.bias, dbias],
    ];
  },

  causalConv1d: ({ ops, inputs, outputs, d, reached }) => {
    const g = ops.causalConv1dBackward(inputs, { dy: d(outputs.y), dLastState: reached(outputs.lastState) });
    return [
      [inputs.x, g.dx],
      [inputs.weight, g.dweight],
      [inputs.bias, g.dbias],
      [inputs.initialState, g.dInitialState],
    ];
  },

  selectiveScan: (run) => {
    const { ops, inputs, outputs, d } = run;
    const g = ops.selectiveScanBackward(inputs, {
      dy: d(outputs.y),
      dLastState: reachedComplex(run, outputs.lastState),
    });
    return [
      [inputs.u, g.du],
      [inputs.delta, g.ddelta],
      [inputs.A, g.dA],
      [inputs.B, g.dB],
      [inputs.C, g.dC],
      [inputs.D, g.dD],
      [inputs.z, g.dz],
      [inputs.deltaBias, g.dDeltaBias],
      [inputs.initialState, g.dInitialState],
    ];
  },

  linearRecurrence: ({ ops, inputs, outputs, d, reached }) => {
    const g = ops.linearRecurrenceBackward(inputs, {
      dh: d(outputs.h),
      dLastState: reached(outputs.lastState),
    });
    return [
      [inputs.a, g.da],
      [inputs.b, g.db],
      [inputs.initialState, g.dInitialState],
    ];
  },

  s4dKernel: ({ ops, inputs, outputs, d }) => {
    const { ddt, dA, dC } = ops.s4dKernelBackward(inputs, { dkernel: d(outputs) });
    return [
      [inputs.dt, ddt],
      [inputs.A, dA],
      [inputs.C, dC],
    ];
  },

  longConv: ({ ops, inputs, outputs, d }) => {
    const { dx, dkernel, dD } = ops.longConvBackward(inputs, { dy: d(outputs) });
    return [
      [inputs.x, dx],
      [inputs.kernel, dkernel],
      [inputs.D, dD],
    ];
  },

  add: ({ inputs, outputs, d }) => [
    [inputs.a, d(outputs)],
    [inputs.b, d(outputs)],
  ],

  mul: ({ ops, inputs: { a, b }, outputs, d }) => [
    [a, ops.mul({ a: d(outputs), b })],
    [b, ops.mul({ a: d(outputs), b: a })],
  ],

  silu: ({ ops, inputs, outputs, d }) => [[inputs.x, ops.siluBackward(inputs, { dy: d(outputs) }).dx]],

  exp: ({ ops, inputs, outputs, d }) => [[inputs.x, ops.mul({ a: d(outputs), b: outputs })]],

  split: ({ ops, inputs: { x, axis }, outputs, d }) => [[x, ops.concat({ tensors: outputs.map(d), axis })]],

  concat: ({ ops, inputs: { tensors, axis }, outputs, d }) => {
    const at = axis < 0 ? axis + outputs.shape.length : axis;
    const pieces = ops.split({ x: d(outputs), sizes: tensors.map(({ shape }) => shape[at]!), axis });
    return tensors.map((tensor, i) => [tensor, pieces[i]]);
  },

  copy: ({ inputs, outputs, d }) => [[inputs.x, d(outputs)]],

  crossEntropy: ({ ops, inputs, outputs, d }) => [
    [inputs.logits, ops.crossEntropyBackward(inputs, { dloss: d(outputs) }).dlogits],
  ],

  argmax: 'constant',
  fill: 'constant',

  causalConv1dStep: 'in-place',
  selectiveScanStep: 'in-place',
  adamW: 'in-place',

  gradNorm: 'no-gradient',
  embeddingBackward: 'no-gradient',
  linearBackward: 'no-gradient',
  rmsNormBackward: 'no-gradient',
  layerNormBackward: 'no-gradient',
  causalConv1dBackward: 'no-gradient',
  selectiveScanBackward: 'no-gradient',
  linearRecurrenceBackward: 'no-gradient',
  s4dKernelBackward: 'no-gradient',
  longConvBackward: 'no-gradient',
  siluBackward: 'no-gradient',
  crossEntropyBackward: 'no-gradient',
};

function reachedComplex(
  { d, reached }: Pick<Run<OpName>, 'd' | 'reached'>,
  x: MaybeComplex,
): MaybeComplex | undefined {
  if (!isComplex(x)) return reached(x);
  if (!reached(x.re) && !reached(x.im)) return undefined;
  return { re: d(x.re), im: d(x.im) } satisfies ComplexTensor;
}
