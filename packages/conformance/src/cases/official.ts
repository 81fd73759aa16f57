import { fixture } from '../figures/load.js';
import type { HostTensor } from '../host.js';
import type { HostTree, OpCase, Outputs } from './case.js';

/*
 * The official figures as calls of our ops. Upstream has no initial state and no step with constant B and C: what it has
 * is here, the rest is against the oracle.
 */

/** Tensors by dotted names, nested: `inputs.A.re` is under inputs, A. */
function nested(tensors: ReadonlyMap<string, HostTensor>, prefix: string): HostTree {
  const root: Record<string, unknown> = {};
  for (const [key, tensor] of under(tensors, prefix)) {
    const [name, part] = key.split('.');
    root[name] = part === undefined ? tensor : { ...(root[name] as object | undefined), [part]: tensor };
  }
  return root as HostTree;
}

function under(tensors: ReadonlyMap<string, HostTensor>, prefix: string): Outputs {
  return new Map(
    [...tensors]
      .filter(([key]) => key.startsWith(`${prefix}.`))
      .map(([key, tensor]) => [key.slice(prefix.length + 1), tensor]),
  );
}

async function scanLike(group: 'selective-scan' | 'causal-conv1d', op: 'selectiveScan' | 'causalConv1d') {
  const { cases, tensorsOf } = await fixture(group);
  return cases.flatMap(({ name, ...options }): OpCase[] => {
    const tensors = tensorsOf(name);
    const inputs = { ...nested(tensors, 'inputs'), ...(options as HostTree) };
    const forward: OpCase = { op, name, inputs, expected: under(tensors, 'forward') };
    const expected = under(tensors, 'backward');
    if (expected.size === 0) return [forward];
    return [forward, { op: `${op}Backward`, name, inputs, grads: nested(tensors, 'grads'), expected }];
  });
}

async function steps(): Promise<OpCase[]> {
  const { cases, tensorsOf } = await fixture('state-update');
  return cases.map(({ name, ...options }) => {
    const tensors = tensorsOf(name);
    const forward = under(tensors, 'forward');
    const expected = new Map([...forward].map(([key, tensor]) => [key === 'y' ? '' : key, tensor]));
    const inputs = { ...nested(tensors, 'inputs'), ...(options as HostTree) };
    return { op: 'selectiveScanStep', name, inputs, expected };
  });
}

/** One S4D layer is three of our calls: its kernel, its convolution, and the same as a recurrence. */
async function s4d(): Promise<OpCase[]> {
  const { cases, tensorsOf } = await fixture('s4d');
  return cases.flatMap(({ name, discretization, length }): OpCase[] => {
    const tensors = tensorsOf(name);
    const of = (key: string) => tensors.get(key) as HostTensor;
    const [u, y, K, D, dt] = [of('u'), of('y'), of('K'), of('D'), of('dt')];
    const channels = D.data.length;
    const pair = (key: string) => ({ re: of(`${key}.re`), im: of(`${key}.im`) });
    const convolution = y.data.map((value, i) => value - D.data[i % channels] * u.data[i]);
    const conv: OpCase = {
      op: 'longConv',
      name,
      inputs: { x: u, kernel: K },
      expected: new Map([['', { ...y, data: convolution }]]),
    };
    // The ops discretize by zero-order hold.
    if (discretization !== 'zoh') return [conv];
    const [B, C] = [pair('B'), pair('C')];
    const product = (f: (i: number) => number): HostTensor => ({
      ...C.re,
      data: C.re.data.map((_, i) => f(i)),
    });
    const CB = {
      re: product((i) => C.re.data[i] * B.re.data[i] - C.im.data[i] * B.im.data[i]),
      im: product((i) => C.re.data[i] * B.im.data[i] + C.im.data[i] * B.re.data[i]),
    };
    const kernelInputs = { dt, A: pair('A'), C: CB, length: length as number };
    const delta = { ...u, data: u.data.map((_, i) => dt.data[i % channels]) };
    return [
      conv,
      { op: 's4dKernel', name, inputs: kernelInputs, expected: new Map([['', K]]) },
      {
        op: 'selectiveScan',
        name,
        inputs: { u, delta, A: pair('A'), B, C, D, discretization: 'zoh' },
        expected: new Map([
          ['y', y],
          ['lastState.re', of('lastState.re')],
          ['lastState.im', of('lastState.im')],
        ]),
      },
    ];
  });
}

/** Every figure of the official code that is one call of one op. */
export async function officialCases(): Promise<OpCase[]> {
  const groups = await Promise.all([
    scanLike('selective-scan', 'selectiveScan'),
    scanLike('causal-conv1d', 'causalConv1d'),
    steps(),
    s4d(),
  ]);
  return groups.flat();
}

/** The longest sequence of a case, for backends that want short ones. */
export function lengthOf({ inputs }: OpCase): number {
  const x = (inputs['u'] ?? inputs['x']) as HostTensor | undefined;
  return x?.shape.length === 3 ? x.shape[1] : typeof inputs['length'] === 'number' ? inputs['length'] : 1;
}
