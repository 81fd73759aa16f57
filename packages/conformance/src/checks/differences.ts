import type { OpName } from '@mamba-ts/backend';
import { evaluate, leaves, mapTree, needOf, type OpCase, type Outputs } from '../cases/case.js';
import { Draw } from '../cases/draw.js';
import { FAMILIES } from '../cases/families.js';
import type { Limits } from '../cases/family.js';
import { type HostTensor, isHostTensor } from '../host.js';
import type { Measurement, NumericCheck, NumericContext } from './check.js';

const group = 'finite differences';
const TOLERANCE = 1e-7;
/** Too long a step bends, too short a one rounds; where one of them agrees, the gradient is right. */
const STEPS = [1e-3, 1e-4, 1e-5];

/** `dDeltaBias` is the gradient of `deltaBias`, `dA.re` of `A.re`: the name without its d, as it is or uncapitalised. */
function strip(name: string, among: ReadonlyMap<string, unknown>): string | undefined {
  const bare = name.slice(1);
  return [bare, bare.charAt(0).toLowerCase() + bare.slice(1)].find((candidate) => among.has(candidate));
}

const dot = (a: HostTensor, b: HostTensor) => {
  let sum = 0;
  for (let i = 0; i < a.data.length; i++) sum += a.data[i] * b.data[i];
  return sum;
};

/** The inputs as f64, one of them moved along a direction. */
function moved({ inputs }: OpCase, path: string, direction: HostTensor, by: number): OpCase['inputs'] {
  return mapTree(inputs, (tensor, at) => {
    if (tensor.dtype === 'i32') return tensor;
    const data = Float64Array.from(tensor.data);
    if (at === path) for (let i = 0; i < data.length; i++) data[i] += by * direction.data[i];
    return { ...tensor, dtype: 'f64', data };
  }) as OpCase['inputs'];
}

/**
 * The derivative of `sum of grads times outputs` along a random direction of each input, by central differences of the
 * forward op (fourth order), beside the gradient's product with that direction.
 */
async function compare(context: NumericContext, c: OpCase): Promise<void> {
  const { backend } = context;
  const forward: OpCase = { ...c, op: c.op.replace('Backward', '') as OpName };
  const weights = new Map(leaves(c.grads) as [string, HostTensor][]);
  const inputs = new Map(leaves(c.inputs) as [string, HostTensor][]);
  const gradients = await evaluate(backend, c, 'f64');

  const loss = async (path: string, direction: HostTensor, by: number) => {
    const { grads: _, ...plain } = forward;
    const outputs = await evaluate(backend, { ...plain, inputs: moved(c, path, direction, by) }, 'f64');
    let sum = 0;
    for (const [name, weight] of weights)
      sum += dot(outputs.get(outputOf(name, outputs)) as HostTensor, weight);
    return sum;
  };

  const found: Measurement[] = [];
  let seed = 1;
  for (const [name, gradient] of gradients) {
    const path = strip(name, inputs);
    if (path === undefined) throw new Error(`${c.op}: ${name} is the gradient of no input`);
    const direction = new Draw(seed++).normal(gradient.shape);
    const analytic = dot(gradient, direction);
    // The product may come out small by chance: its usual size is the norm of the gradient.
    const scale = Math.max(Math.abs(analytic), Math.sqrt(dot(gradient, gradient)), 1e-3);
    let [error, numeric] = [Number.POSITIVE_INFINITY, Number.NaN];
    for (const step of STEPS) {
      const found = await slope((by) => loss(path, direction, by), step);
      if (Math.abs(analytic - found) / scale < error) {
        numeric = found;
        error = Math.abs(analytic - found) / scale;
      }
      if (error < TOLERANCE / 10) break;
    }
    found.push({
      group,
      op: c.op,
      case: c.name,
      dtype: 'f64',
      kind: 'gradient',
      error,
      tolerance: TOLERANCE,
      detail: `${name}: ${analytic} along a random direction, by differences ${numeric}`,
    });
  }
  context.record(found);
}

/** Central differences of fourth order. */
async function slope(f: (by: number) => Promise<number>, step: number): Promise<number> {
  const near = (await f(step)) - (await f(-step));
  const far = (await f(2 * step)) - (await f(-2 * step));
  return (8 * near - far) / (12 * step);
}

/** The output that `dy` or `dLastState.re` weighs; an op with one bare result has no names. */
function outputOf(gradName: string, outputs: Outputs): string {
  return strip(gradName, outputs) ?? '';
}

const size = (c: OpCase) =>
  leaves(c.inputs).reduce((sum, [, tensor]) => sum + (isHostTensor(tensor) ? tensor.data.length : 0), 0);

/** Every backward op against its own forward op, in f64 only: in f32 the differences would be rounding. */
export function differenceChecks(limits: Limits): NumericCheck[] {
  return FAMILIES.flatMap((family) => family.directed(limits))
    .filter((c) => c.grads !== undefined && size(c) < 2500 && needOf(c).weight === undefined)
    .map((c) => ({
      kind: 'numeric',
      group,
      name: `${c.op}: ${c.name}`,
      needs: [{ op: c.op, ...needOf(c) }],
      only: 'f64',
      run: (context) => compare(context, c),
    }));
}
