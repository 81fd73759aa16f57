import type { Backend, OpNeed } from '@mamba-ts/backend';
import type { AnyOp, FloatType, Outputs } from '../cases/case.js';
import { CHAIN_FLOOR, deviations } from '../cases/compare.js';
import { definitionOf } from '../cases/definitions.js';
import type { Limits } from '../cases/family.js';

/** How far from the truth is allowed: max |x - ref| / max |ref|. */
export interface Tolerance {
  readonly forward: number;
  readonly gradient: number;
}

/** One output of one call, beside what it should be. */
export interface Measurement {
  /** Kind of check: `official figures`, `against the oracle`, ... */
  readonly group: string;
  /** An op's name, or what several of them make together. */
  readonly op: string;
  readonly case: string;
  readonly dtype: FloatType;
  readonly kind: 'forward' | 'gradient';
  /** max |x - ref| / max |ref|; infinite for what is missing, of another shape, or NaN. */
  readonly error: number;
  readonly tolerance: number;
  /** Which output, where, and which values. */
  readonly detail: string;
}

/** What an op is needed with. */
export type Need = { readonly op: AnyOp } & OpNeed;

/** Compares numbers; run once in each type that the backend computes in. */
export interface NumericCheck {
  readonly kind: 'numeric';
  readonly group: string;
  readonly name: string;
  readonly needs: readonly Need[];
  /** Only in this type. */
  readonly only?: FloatType;
  run(context: NumericContext): Promise<void>;
}

export interface NumericContext {
  readonly backend: Backend;
  /** Computes in f64. */
  readonly oracle: Backend;
  readonly dtype: FloatType;
  readonly tolerance: Tolerance;
  readonly limits: Limits;
  /** Random cases of each op. */
  readonly runs: number;
  /** Whether NaN and infinities behave as in IEEE 754. */
  readonly nonFinite: boolean;
  /** In a test run it throws if one of them is over its tolerance. */
  record(measurements: readonly Measurement[]): void;
}

/** Checks the rules that are not numbers: memory, errors, purity. Run once a backend. */
export interface ContractCheck {
  readonly kind: 'contract';
  readonly group: string;
  readonly name: string;
  readonly needs: readonly Need[];
  /** About this optional member of a backend: left out where it is not there. */
  readonly about?: 'capture';
  run(context: ContractContext): Promise<void>;
}

export interface ContractContext {
  readonly backend: Backend;
  /** The type to make tensors of. */
  readonly dtype: FloatType;
  /** Another backend of the same kind, for what leaves it unusable. */
  create(): Promise<Backend>;
}

export type Check = NumericCheck | ContractCheck;

export const kindOf = (op: AnyOp) => (op.endsWith('Backward') ? 'gradient' : 'forward');

/** Judges a call's results. */
export function judge(
  context: NumericContext,
  where: { group: string; name: string },
  op: AnyOp,
  got: Outputs,
  want: Outputs,
): Measurement[] {
  return judgeAs(context, where, op, kindOf(op), got, want);
}

/** Judges the results of several ops. */
export function judgeAs(
  { dtype, tolerance }: NumericContext,
  { group, name }: { group: string; name: string },
  op: string,
  kind: Measurement['kind'],
  got: Outputs,
  want: Outputs,
): Measurement[] {
  const floor = definitionOf(op as AnyOp) ? CHAIN_FLOOR : undefined;
  return deviations(got, want, floor).map(({ output, error, detail }) => ({
    group,
    op,
    case: name,
    dtype,
    kind,
    error,
    tolerance: tolerance[kind],
    detail: `${output || 'the result'}: ${detail}`,
  }));
}

/** What the measurements over their tolerance say, or nothing. */
export function complaints(measurements: readonly Measurement[]): string | undefined {
  const bad = measurements.filter(({ error, tolerance }) => !(error <= tolerance));
  if (bad.length === 0) return undefined;
  const lines = bad.map(
    ({ op, case: name, error, tolerance, detail }) =>
      `${op} (${name}): off by ${error.toPrecision(3)}, ${tolerance} is allowed. ${detail}`,
  );
  return lines.join('\n');
}

export const contract = (
  group: string,
  name: string,
  needs: readonly Need[],
  run: ContractCheck['run'],
): ContractCheck => ({ kind: 'contract', group, name, needs, run });

/** A failed check of the contract. */
export function fail(message: string): never {
  throw new Error(message);
}

export function ensure(condition: boolean, message: string): void {
  if (!condition) fail(message);
}

/** Thrown by a check that finds out only while it runs that the backend lacks what it is about. */
export class Skipped extends Error {}
