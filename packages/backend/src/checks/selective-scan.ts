import type { SelectiveScanInputs, SelectiveScanStepInputs } from '../ops.js';
import { isComplex, type MaybeComplex, type Tensor } from '../tensor.js';
import { CallCheck, type FloatDType, show } from './call-check.js';

/** How a call gives B or C. */
export interface CoefficientForm {
  /** `variable` [B, L, N], `grouped` [B, L, G, N], `constant` [D, N]. */
  readonly kind: 'variable' | 'grouped' | 'constant';
  /** Groups of channels that share a row: 1 if variable; the channels, one each, if constant. */
  readonly groups: number;
  /**
   * `real`: one tensor of these shapes. With complex A also `pair`, `{ re, im }` of them, and `interleaved`: one real
   * tensor with re and im in turn along L, [B, 2L, N] or [B, 2L, G, N] (not in a step).
   */
  readonly packing: 'real' | 'pair' | 'interleaved';
}

export interface SelectiveScanDims {
  readonly dtype: FloatDType;
  readonly batch: number;
  readonly length: number;
  readonly channels: number;
  readonly stateSize: number;
  /** A, the state and the last state are complex. */
  readonly complex: boolean;
  readonly B: CoefficientForm;
  readonly C: CoefficientForm;
  readonly softplus: boolean;
  readonly discretization: 'mamba' | 'zoh';
}

/** Throws `SHAPE`, `DTYPE` or `INVALID_ARGUMENT` unless these are arguments of `selectiveScan`. */
export function checkSelectiveScan(inputs: SelectiveScanInputs): SelectiveScanDims {
  return checkScan(new CallCheck('selectiveScan'), inputs);
}

/** The same, and `dy` [B, L, D], `dLastState` as the last state. */
export function checkSelectiveScanBackward(
  inputs: SelectiveScanInputs,
  { dy, dLastState }: { dy: Tensor; dLastState?: MaybeComplex | undefined },
): SelectiveScanDims {
  const call = new CallCheck('selectiveScanBackward');
  const dims = checkScan(call, inputs);
  call.float('dy', dy, ['B', 'L', 'D']);
  if (dLastState !== undefined) call.matchingFloat('dLastState', dLastState, dims.complex, ['B', 'D', 'N']);
  return dims;
}

/** One token: `length` is 1, and B and C of kind `variable` are [B, N], `grouped` [B, G, N]. */
export function checkSelectiveScanStep(inputs: SelectiveScanStepInputs): SelectiveScanDims {
  const { u, delta, D, z, deltaBias, state, constant = [] } = inputs;
  const call = new CallCheck('selectiveScanStep');
  call.float('u', u, ['B', 'D']);
  call.float('delta', delta, ['B', 'D']);
  const complex = checkA(call, inputs.A);
  call.matchingFloat('state', state, complex, ['B', 'D', 'N']);
  const b = checkCoefficient(call, 'B', inputs.B, complex, { constant: constant.includes('B') });
  const c = checkCoefficient(call, 'C', inputs.C, complex, { constant: constant.includes('C') });
  call.optionalFloat('D', D, ['D']);
  call.optionalFloat('z', z, ['B', 'D']);
  call.optionalFloat('deltaBias', deltaBias, ['D']);
  return dimsOf(call, inputs, 1, complex, b, c);
}

function checkScan(call: CallCheck, inputs: SelectiveScanInputs): SelectiveScanDims {
  const { u, delta, D, z, deltaBias, initialState, seqIdx } = inputs;
  call.float('u', u, ['B', 'L', 'D']);
  call.float('delta', delta, ['B', 'L', 'D']);
  const complex = checkA(call, inputs.A);
  const b = checkCoefficient(call, 'B', inputs.B, complex);
  const c = checkCoefficient(call, 'C', inputs.C, complex);
  call.optionalFloat('D', D, ['D']);
  call.optionalFloat('z', z, ['B', 'L', 'D']);
  call.optionalFloat('deltaBias', deltaBias, ['D']);
  if (initialState !== undefined) call.matchingFloat('initialState', initialState, complex, ['B', 'D', 'N']);
  if (seqIdx !== undefined) call.int32('seqIdx', seqIdx, ['B', 'L']);
  return dimsOf(call, inputs, call.size('L'), complex, b, c);
}

function dimsOf(
  call: CallCheck,
  { softplus, discretization }: Pick<SelectiveScanInputs, 'softplus' | 'discretization'>,
  length: number,
  complex: boolean,
  B: CoefficientForm,
  C: CoefficientForm,
): SelectiveScanDims {
  if (![undefined, 'mamba', 'euler', 'zoh'].includes(discretization)) {
    call.fail(
      'INVALID_ARGUMENT',
      `discretization must be 'mamba', 'euler' or 'zoh', got '${discretization}'`,
    );
  }
  return {
    dtype: call.dtype,
    batch: call.size('B'),
    length,
    channels: call.size('D'),
    stateSize: call.size('N'),
    complex,
    B,
    C,
    softplus: softplus ?? false,
    discretization: discretization === 'zoh' ? 'zoh' : 'mamba',
  };
}

function checkA(call: CallCheck, A: MaybeComplex): boolean {
  call.present('A', A);
  call.matchingFloat('A', A, isComplex(A), ['D', 'N']);
  return isComplex(A);
}

/** Which of the three forms `x` has, from its rank: see `SelectiveScanInputs.B` and `SelectiveScanStepInputs`. */
function checkCoefficient(
  call: CallCheck,
  name: 'B' | 'C',
  x: MaybeComplex,
  complex: boolean,
  step?: { constant: boolean },
): CoefficientForm {
  call.present(name, x);
  const pair = isComplex(x);
  if (pair && !complex) call.matchingFloat(name, x, false, []);
  const part = pair ? x.re : x;
  call.present(pair ? `${name}.re` : name, part);
  const { shape } = part;
  const interleaved = !step && complex && !pair && shape.length > 2 && shape[1] === 2 * call.size('L');
  const rows = step ? ['B'] : ['B', interleaved ? shape[1] : 'L'];
  let kind: CoefficientForm['kind'];
  if (shape.length === rows.length + 2) kind = 'grouped';
  else if (shape.length === 2 && (!step || isConstantStep(call, shape, step.constant))) kind = 'constant';
  else if (shape.length === rows.length + 1) kind = 'variable';
  else {
    const forms = step ? '[B, N], [B, G, N] or [D, N]' : '[B, L, N], [B, L, G, N] or [D, N]';
    call.fail('SHAPE', `${name} has shape ${show(shape)}, expected ${forms}`);
  }
  const axes = {
    constant: ['D', 'N'],
    variable: [...rows, 'N'],
    grouped: [...rows, `groups of ${name}`, 'N'],
  }[kind];
  if (pair) call.complexFloat(name, x, axes);
  else call.float(name, x, axes);

  const channels = call.size('D');
  const groups = {
    constant: () => channels,
    variable: () => 1,
    grouped: () => call.size(`groups of ${name}`),
  }[kind]();
  if (channels % groups !== 0) {
    call.fail('SHAPE', `${name} has ${groups} groups, which do not divide the ${channels} channels of u`);
  }
  return { kind, groups, packing: pair ? 'pair' : interleaved ? 'interleaved' : 'real' };
}

/** [D, N] and one token's [B, N] look alike where the batch is as large as the channels: the caller says which then. */
function isConstantStep(call: CallCheck, shape: readonly number[], declared: boolean): boolean {
  return declared || (shape[0] !== call.size('B') && shape[0] === call.size('D'));
}
