import {
  type Backend,
  MambaError,
  type OpName,
  type OpNeed,
  type OptionalOpName,
  type Tensor,
} from '@mamba-ts/backend';
import { type HostTensor, isHostTensor, rounded } from '../host.js';
import { definitionOf } from './definitions.js';

/** An op of the contract, whether all backends have it or not. */
export type AnyOp = OpName | OptionalOpName;

/** Types that a backend computes in. */
export type FloatType = 'f64' | 'f32';

/** Arguments of an op, with values in this process in the place of tensors. */
export type HostTree = { readonly [key: string]: HostValue };
export type HostValue =
  | HostTensor
  | HostTree
  | readonly HostTensor[]
  | readonly number[]
  | readonly string[]
  | number
  | string
  | boolean
  | undefined;

/** Results by their path: `y`, `lastState.re`, `0` of an array, and the empty path of a bare tensor. */
export type Outputs = ReadonlyMap<string, HostTensor>;

/** One call of one op: what everything in this suite evaluates. A `...Backward` op has `grads`. */
export interface OpCase {
  readonly op: AnyOp;
  readonly name: string;
  readonly inputs: HostTree;
  readonly grads?: HostTree;
  /** The official figures, or what was computed in another way. Without them the oracle says what is right. */
  readonly expected?: Outputs;
}

/** What each op that works in place changes. */
export const IN_PLACE: Partial<Record<AnyOp, readonly string[]>> = {
  selectiveScanStep: ['state'],
  causalConv1dStep: ['state'],
  adamW: ['param', 'm', 'v'],
  mambaStep: ['state', 'convState'],
};

/** What `Backend.supports` is asked before a case is run, the type of the activations apart. */
export function needOf({ inputs }: OpCase): OpNeed {
  const weight = Object.values(inputs).find((value) => isHostTensor(value) && value.stored);
  const A = inputs['A'];
  const complex = typeof A === 'object' && !isHostTensor(A);
  return { ...(weight ? { weight: (weight as HostTensor).stored! } : {}), ...(complex ? { complex } : {}) };
}

/** Every tensor of nested objects and arrays, by its path. */
export function leaves(value: unknown, path = ''): [string, unknown][] {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return [];
  if ('shape' in value && 'data' in value) return [[path, value]];
  return Object.entries(value).flatMap(([key, child]) => leaves(child, path ? `${path}.${key}` : key));
}

/** The same nesting with each host tensor replaced. */
export function mapTree(
  value: HostValue,
  replace: (tensor: HostTensor, path: string) => unknown,
  path = '',
): unknown {
  if (isHostTensor(value)) return replace(value, path);
  if (typeof value !== 'object') return value;
  const at = (key: string) => (path ? `${path}.${key}` : key);
  if (Array.isArray(value)) return value.map((child, i) => mapTree(child, replace, at(String(i))));
  return Object.fromEntries(
    Object.entries(value as HostTree).map(([key, child]) => [key, mapTree(child, replace, at(key))]),
  );
}

/** How to upload: weights in their stored type, or (the oracle) as what they stand for. */
export function upload(backend: Backend, tensor: HostTensor, dtype: FloatType, asStored = true): Tensor {
  if (tensor.dtype === 'i32') return backend.tensor(tensor.data, tensor.shape, 'i32');
  if (tensor.stored === undefined) return backend.tensor(tensor.data, tensor.shape, dtype);
  if (asStored) return backend.tensor(tensor.data, tensor.shape, tensor.stored);
  return backend.tensor(rounded(tensor).data, tensor.shape, dtype);
}

/** Reads tensors back, all at once. */
export async function readAll(tensors: readonly (readonly [string, Tensor])[]): Promise<Outputs> {
  const values = await Promise.all(tensors.map(([, tensor]) => tensor.data()));
  return new Map(
    tensors.map(([path, { shape, dtype }], i) => {
      const kind = dtype === 'f64' || dtype === 'i32' ? dtype : 'f32';
      return [path, { shape: [...shape], dtype: kind, data: values[i]! }];
    }),
  );
}

export interface EvaluateOptions {
  /** Weights as what they stand for (see `upload`), and optional ops by the ops that they stand for. */
  readonly asOracle?: boolean;
  /** Also return the inputs, as `inputs.<path>`, read after the call. */
  readonly keepInputs?: boolean;
  /** Dispose the inputs as soon as the op has returned, before anything is read. */
  readonly disposeInputsFirst?: boolean;
}

/** Runs a case: uploads, calls the op, reads what it returned and what it changed in place, and disposes everything. */
export async function evaluate(
  backend: Backend,
  { op, inputs, grads }: OpCase,
  dtype: FloatType,
  { asOracle = false, keepInputs = false, disposeInputsFirst = false }: EvaluateOptions = {},
): Promise<Outputs> {
  const uploaded = new Map<string, Tensor>();
  const place = (prefix: string) => (tensor: HostTensor, path: string) => {
    const made = upload(backend, tensor, dtype, !asOracle);
    uploaded.set(`${prefix}.${path}`, made);
    return made;
  };
  let results: [string, Tensor][] = [];
  try {
    const args = [mapTree(inputs, place('inputs'))];
    if (grads !== undefined) args.push(mapTree(grads, place('grads')));
    const definition = asOracle ? definitionOf(op) : undefined;
    const call = backend.ops[op] as (...args: unknown[]) => unknown;
    results = leaves(
      definition?.run
        ? backend.scope(() => definition.run!(backend.ops, args[0] as never))
        : call.apply(backend.ops, args),
    ) as [string, Tensor][];
    const read = [...results];
    for (const key of IN_PLACE[op] ?? [])
      for (const [path, tensor] of uploaded)
        if (path === `inputs.${key}` || path.startsWith(`inputs.${key}.`)) read.push([path.slice(7), tensor]);
    if (keepInputs) read.push(...uploaded);
    if (disposeInputsFirst) for (const tensor of uploaded.values()) tensor.dispose();
    return await readAll(read.filter(([, tensor]) => !tensor.disposed || !disposeInputsFirst));
  } finally {
    for (const tensor of uploaded.values()) tensor.dispose();
    for (const [, tensor] of results) tensor.dispose();
  }
}

/** Whether a backend refused a form of an op that it otherwise has. (fast-check wraps what a property throws.) */
export function isUnsupported(error: unknown): boolean {
  if (error instanceof MambaError) return error.code === 'UNSUPPORTED_OP';
  return error instanceof Error && error.cause !== undefined && isUnsupported(error.cause);
}
