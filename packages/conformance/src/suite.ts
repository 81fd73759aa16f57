import type { Backend, DType } from '@mamba-ts/backend';
import { type AnyOp, type FloatType, isUnsupported } from './cases/case.js';
import { definitionOf } from './cases/definitions.js';
import { OP_NAMES } from './cases/families.js';
import { captureChecks } from './checks/captures.js';
import {
  type Check,
  type ContractCheck,
  complaints,
  type Measurement,
  type Need,
  type NumericCheck,
  type NumericContext,
  Skipped,
  type Tolerance,
} from './checks/check.js';
import { differenceChecks } from './checks/differences.js';
import { errorChecks } from './checks/errors.js';
import { identityChecks } from './checks/identities.js';
import { lifetimeChecks } from './checks/lifetimes.js';
import { memoryChecks } from './checks/memory.js';
import { modelChecks } from './checks/models.js';
import { nanChecks } from './checks/nan.js';
import { officialChecks } from './checks/official.js';
import { oracleChecks } from './checks/oracle.js';
import { purityChecks } from './checks/purity.js';
import { tensorChecks } from './checks/tensors.js';

/** What decides how much is run and how strictly. */
export interface SuiteOptions {
  /** Ops to judge, for a backend in the making. All unless said. */
  readonly ops?: readonly AnyOp[] | undefined;
  /** Types to check. All that the backend computes in unless said. */
  readonly dtypes?: readonly FloatType[] | undefined;
  /** Leaves longer sequences out: for slow devices. No limit on the figures, 130 on random shapes unless said. */
  readonly maxLength?: number | undefined;
  /** Random cases of each op. 20 unless said. */
  readonly runs?: number | undefined;
  /** max |x - ref| / max |ref|. Unless said, f32: 1e-5 forward and 5e-5 gradients; f64: 1e-11 both. */
  readonly tolerance?: Partial<Record<FloatType, Partial<Tolerance>>> | undefined;
  /**
   * Whether NaN and infinities must behave as in IEEE 754. True unless said; WGSL lets a device assume that there are
   * none. That a NaN stays in its own channel is checked in any case.
   */
  readonly nonFinite?: boolean | undefined;
}

export interface ConformanceOptions extends SuiteOptions {
  /** Appears in the names of the tests. */
  readonly name: string;
  createBackend(): Backend | Promise<Backend>;
  /** A backend that computes in f64 and is trusted: `createCpuBackend` of @mamba-ts/cpu. */
  createOracle(): Backend | Promise<Backend>;
}

const TOLERANCE: Record<FloatType, Tolerance> = {
  f64: { forward: 1e-11, gradient: 1e-11 },
  f32: { forward: 1e-5, gradient: 5e-5 },
};

const DEFAULT_LENGTH = 130;
const DEFAULT_RUNS = 20;

/** Which of the two float types a backend computes in. */
export function floatTypes(backend: Backend): FloatType[] {
  return (['f64', 'f32'] as const).filter((dtype) => OP_NAMES.some((op) => backend.supports(op, { dtype })));
}

const numeric = new Map<string, Promise<readonly NumericCheck[]>>();

/** Checks are pure values, and large: they are made once, whatever the number of backends. */
export async function numericChecks({ maxLength, ops }: SuiteOptions): Promise<readonly NumericCheck[]> {
  const key = String(maxLength);
  if (!numeric.has(key)) numeric.set(key, makeNumericChecks(maxLength));
  return among(ops, await numeric.get(key)!);
}

async function makeNumericChecks(maxLength = Number.POSITIVE_INFINITY): Promise<readonly NumericCheck[]> {
  const limits = { maxLength: Math.min(maxLength, DEFAULT_LENGTH) };
  return [
    ...(await officialChecks({ maxLength })),
    ...(await modelChecks(maxLength)),
    ...oracleChecks(limits),
    ...differenceChecks(limits),
    ...identityChecks(),
    ...nanChecks(),
  ];
}

let contract: readonly ContractCheck[] | undefined;

function contractChecks({ ops }: SuiteOptions): readonly ContractCheck[] {
  contract ??= [
    tensorChecks(),
    memoryChecks(),
    lifetimeChecks(),
    purityChecks(),
    errorChecks(),
    captureChecks(),
  ].flat();
  return among(ops, contract);
}

function among<T extends Check>(ops: readonly AnyOp[] | undefined, checks: readonly T[]): T[] {
  return checks.filter(({ needs }) => ops === undefined || needs.every(({ op }) => ops.includes(op)));
}

export function numericContext(
  backend: Backend,
  oracle: Backend,
  dtype: FloatType,
  options: SuiteOptions,
  record: NumericContext['record'],
): NumericContext {
  return {
    backend,
    oracle,
    dtype,
    tolerance: { ...TOLERANCE[dtype], ...options.tolerance?.[dtype] },
    limits: { maxLength: Math.min(options.maxLength ?? DEFAULT_LENGTH, DEFAULT_LENGTH) },
    runs: options.runs ?? DEFAULT_RUNS,
    nonFinite: options.nonFinite ?? true,
    record,
  };
}

/** The first need that is not met, in words; nothing if all are. */
function missing(backend: Backend, needs: readonly Need[], dtype: DType): string | undefined {
  for (const { op, ...need } of needs) {
    const asked = { dtype, ...need };
    if (backend.supports(op, asked)) continue;
    const form = [asked.dtype, asked.weight && `${asked.weight} weights`, asked.complex && 'complex A'];
    return `${op} (${form.filter(Boolean).join(', ')})`;
  }
  return undefined;
}

/** Why a check cannot be run on these two: which of them lacks what. The oracle is given widened weights and single ops. */
export function lack(
  { backend, oracle }: { backend: Backend; oracle: Backend },
  check: Check,
  dtype: FloatType,
): { who: 'backend' | 'oracle'; what: string } | undefined {
  const mine = missing(backend, check.needs, dtype);
  if (mine !== undefined) return { who: 'backend', what: mine };
  if (check.kind === 'contract') return undefined;
  const widened = check.needs.flatMap(
    ({ weight: _, ...need }): readonly Need[] => definitionOf(need.op)?.by.map((op) => ({ op })) ?? [need],
  );
  const theirs = missing(oracle, widened, 'f64');
  return theirs === undefined ? undefined : { who: 'oracle', what: theirs };
}

/** Runs a check, and fails if tensors are left over. Returns the reason if it turns out that it cannot be run. */
export async function perform(backend: Backend, run: () => Promise<void>): Promise<string | undefined> {
  const before = backend.memory();
  try {
    await run();
  } catch (error) {
    if (error instanceof Skipped || isUnsupported(error)) return explain(error);
    throw error;
  }
  const after = backend.memory();
  if (after.tensors !== before.tensors || after.bytes !== before.bytes) {
    throw new Error(
      `${after.tensors - before.tensors} tensors (${after.bytes - before.bytes} bytes) are left over: something leaks`,
    );
  }
  return undefined;
}

/** An error and what caused it, in words. */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}\n${explain(error.cause)}`;
}

/** One test of a plan. */
export interface PlannedTest {
  readonly group: string;
  readonly name: string;
  /** Why it cannot be run on this backend. */
  readonly skip?: string;
  /** Throws if it fails; returns the reason if it turns out that it cannot be run. */
  run(): Promise<string | undefined>;
}

/** What would be run on a backend, with the backends it is run on. */
export interface Plan {
  readonly tests: readonly PlannedTest[];
  /** Makes the backend and the oracle. */
  setup(): Promise<void>;
  teardown(): Promise<void>;
}

/** Asks the backend what it can do, and lays out the tests. An op that it lacks is one skipped test, not one a case. */
export async function plan(options: ConformanceOptions): Promise<Plan> {
  let backend = await options.createBackend();
  let oracle = await options.createOracle();
  const record = (measurements: readonly Measurement[]) => {
    const found = complaints(measurements);
    if (found !== undefined) throw new Error(found);
  };

  const tests: PlannedTest[] = [];
  const denied = new Set<string>();
  const add = (check: Check, dtype: FloatType, group: string, run: () => Promise<void>) => {
    // To lack an optional op is no gap.
    if (check.needs.some(({ op }) => definitionOf(op) && !backend.supports(op, { dtype }))) return;
    const without = lack({ backend, oracle }, check, dtype);
    if (without === undefined) {
      tests.push({ group, name: check.name, run: () => perform(backend, run) });
      return;
    }
    const skip = `${without.who === 'backend' ? options.name : 'the oracle'} has no ${without.what}`;
    if (denied.has(skip)) return;
    denied.add(skip);
    tests.push({ group: 'not on this backend', name: skip, skip, run: async () => skip });
  };

  const dtypes = (options.dtypes ?? floatTypes(backend)).filter((dtype) =>
    floatTypes(backend).includes(dtype),
  );
  for (const dtype of dtypes) {
    for (const check of await numericChecks(options)) {
      if (check.only !== undefined && check.only !== dtype) continue;
      add(check, dtype, `${dtype}, ${check.group}`, () =>
        check.run(numericContext(backend, oracle, dtype, options, record)),
      );
    }
  }
  const dtype = dtypes.at(-1) ?? 'f32';
  for (const check of contractChecks(options)) {
    if (check.about && !(check.about in backend)) continue;
    // That f32 and f64 do not mix is a question only where both are in question.
    if (check.needs.some((need) => need.dtype !== undefined && !dtypes.some((one) => one === need.dtype)))
      continue;
    add(check, dtype, check.group, () =>
      check.run({ backend, dtype, create: async () => options.createBackend() }),
    );
  }
  await backend.dispose();
  await oracle.dispose();

  return {
    tests,
    setup: async () => {
      backend = await options.createBackend();
      oracle = await options.createOracle();
    },
    teardown: async () => {
      await backend.dispose();
      await oracle.dispose();
    },
  };
}
