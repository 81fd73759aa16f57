/*
 * Makes `fixtures/` from figures dumped from the official code (torch 1.13 on a CPU: inputs in f32, outputs of the same
 * functions run in f64):
 *
 *   npx tsx packages/conformance/scripts/convert-fixtures.ts FOLDER
 *
 * FOLDER holds, as `x.safetensors` and `x.json` (`{ cases: [{ name, ... }] }`): `selective_scan` (selective_scan_ref),
 * `causal_conv1d` (causal_conv1d_ref), `state_update` (selective_state_update_ref), `s4d` (SSMKernelDiag), `mamba_block`
 * (modules.mamba_simple.Mamba), and the folders `tiny-mamba` (a checkpoint and `expected.safetensors`) and `tiny-mamba-hf`.
 *
 * This is the one place that knows the official layouts: (B, D, L) becomes [B, L, D], complex numbers on a last axis of
 * two become `.re` and `.im`, heads join their channels. Official f32 outputs and the largest scan cases are left out:
 * all of it must stay under 3 MB.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { FixtureCase } from '../src/figures/load.js';
import { readSafetensors, writeSafetensors } from '../src/figures/safetensors.js';
import { type HostTensor, slice } from '../src/host.js';

const MAX_SCAN_BYTES = 100_000;
/** Larger scan cases that are worth their bytes: the shape of a published model, and a long sequence. */
const LARGE_SCANS = ['mamba130m_slice', 'c062'];
const BLOCKS = ['blk0_b2_l17', 'blk1_b2_l3', 'blk1_b2_l17', 'blk2_b2_l1', 'blk2_b2_l17', 'blk2_b1_l64'];

type Tensors = Map<string, HostTensor>;
interface Group {
  cases: FixtureCase[];
  tensors: ReadonlyMap<string, HostTensor>;
}

const from = process.argv[2];
if (from === undefined) {
  console.error('usage: npx tsx packages/conformance/scripts/convert-fixtures.ts FOLDER');
  process.exit(2);
}
const to = fileURLToPath(new URL('../fixtures', import.meta.url));

function official(name: string): Group {
  const { tensors } = readSafetensors(readFileSync(`${from}/${name}.safetensors`));
  return { cases: JSON.parse(readFileSync(`${from}/${name}.json`, 'utf8')).cases, tensors };
}

function write(name: string, cases: FixtureCase[], tensors: Tensors): void {
  const bytes = writeSafetensors({ tensors, metadata: { cases: JSON.stringify(cases) } });
  writeFileSync(`${to}/${name}.safetensors`, bytes);
  console.log(`${name}: ${cases.length} cases, ${tensors.size} tensors, ${bytes.length} bytes`);
}

/** `order[i]` is the old axis that becomes axis i. */
function permute({ shape, dtype, data }: HostTensor, order: readonly number[]): HostTensor {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const permuted = order.map((axis) => shape[axis]);
  const out = data.slice();
  const index = permuted.map(() => 0);
  for (let at = 0; at < data.length; at++) {
    out[at] = data[index.reduce((sum, i, axis) => sum + i * (strides[order[axis] as number] as number), 0)]!;
    for (let axis = index.length - 1; axis >= 0 && ++index[axis]! === permuted[axis]; axis--) index[axis] = 0;
  }
  return { shape: permuted, dtype, data: out };
}

/** The last axis (time, officially) goes to the second place: (B, D, L) to [B, L, D], (B, G, N, L) to [B, L, G, N]. */
function timeSecond(tensor: HostTensor): HostTensor {
  const axes = tensor.shape.map((_, axis) => axis);
  return permute(tensor, [0, axes.length - 1, ...axes.slice(1, -1)]);
}

function reshape(tensor: HostTensor, shape: readonly number[]): HostTensor {
  return { ...tensor, shape };
}

function put(out: Tensors, name: string, tensor: HostTensor, complex = false): void {
  if (!complex) {
    out.set(name, tensor);
    return;
  }
  const shape = tensor.shape.slice(0, -1);
  for (const [part, offset] of [['re', 0] as const, ['im', 1] as const]) {
    out.set(`${name}.${part}`, {
      shape,
      dtype: tensor.dtype,
      data: tensor.data.filter((_, i) => i % 2 === offset),
    });
  }
}

/** The official name of each input, ours, and our name of its gradient. */
const SCAN_INPUTS = [
  ['u', 'u', 'du'],
  ['delta', 'delta', 'ddelta'],
  ['A', 'A', 'dA'],
  ['B', 'B', 'dB'],
  ['C', 'C', 'dC'],
  ['D', 'D', 'dD'],
  ['z', 'z', 'dz'],
  ['delta_bias', 'deltaBias', 'dDeltaBias'],
] as const;

function selectiveScan(): void {
  const { cases, tensors } = official('selective_scan');
  const kept: FixtureCase[] = [];
  const out: Tensors = new Map();
  for (const { name, complex, delta_softplus, ...parameters } of cases) {
    const own = [...tensors].filter(([key]) => key.startsWith(`${name}/`) && !key.endsWith('.f32'));
    const bytes = own.reduce((sum, [, { data }]) => sum + data.byteLength, 0);
    if (bytes > MAX_SCAN_BYTES && !LARGE_SCANS.includes(name)) continue;
    kept.push({ name, softplus: delta_softplus });
    const convert = (place: string, key: string, input: string) => {
      const tensor = tensors.get(`${name}/${key}`);
      if (!tensor) return;
      const varies =
        ['u', 'delta', 'z', 'y'].includes(input) || /^(var|g\d+)$/.test(String(parameters[input]));
      // A variable complex B (B, N, 2L) has its parts in turn along L, and keeps them so: [B, 2L, N].
      if (varies) out.set(`${name}/${place}`, timeSecond(tensor));
      else put(out, `${name}/${place}`, tensor, complex === true && ['A', 'B', 'C', 'state'].includes(input));
    };
    convert('grads.dy', 'dout', 'y');
    convert('forward.y', 'y.f64', 'y');
    convert('forward.lastState', 'last_state.f64', 'state');
    for (const [theirs, ours, gradient] of SCAN_INPUTS) {
      convert(`inputs.${ours}`, theirs, ours);
      convert(`backward.${gradient}`, `d${theirs}.f64`, ours);
    }
  }
  // One sequence in two pieces: the second starts from the state after the first.
  const of = (name: string) => {
    const tensor = tensors.get(`continue/${name}`) as HostTensor;
    return tensor.shape.length === 3 && !name.includes('state') ? timeSecond(tensor) : tensor;
  };
  const length = of('u').shape[1];
  const middle = 19;
  for (const [name, start, end] of [
    ['continue_first', 0, middle],
    ['continue_rest', middle, length],
  ] as const) {
    kept.push({ name, softplus: true });
    for (const [theirs, ours] of SCAN_INPUTS) {
      const varies = of(theirs).shape.length === 3;
      out.set(`${name}/inputs.${ours}`, varies ? slice(of(theirs), 1, start, end) : of(theirs));
    }
    if (start > 0) out.set(`${name}/inputs.initialState`, of('mid_state.f64'));
    out.set(`${name}/forward.y`, slice(of('y.f64'), 1, start, end));
    out.set(`${name}/forward.lastState`, of(start > 0 ? 'last_state.f64' : 'mid_state.f64'));
  }
  write('selective-scan', kept, out);
}

function causalConv1d(): void {
  const { cases, tensors } = official('causal_conv1d');
  const out: Tensors = new Map();
  const places: Record<string, string> = {
    x: 'inputs.x',
    weight: 'inputs.weight',
    bias: 'inputs.bias',
    initial_states: 'inputs.initialState',
    dout: 'grads.dy',
    'y.f64': 'forward.y',
    'final_states.f64': 'forward.lastState',
    'dx.f64': 'backward.dx',
    'dweight.f64': 'backward.dweight',
    'dbias.f64': 'backward.dbias',
    'dinitial_states.f64': 'backward.dInitialState',
  };
  for (const { name } of cases) {
    for (const [key, place] of Object.entries(places)) {
      const tensor = tensors.get(`${name}/${key}`);
      if (tensor) out.set(`${name}/${place}`, tensor.shape.length === 3 ? timeSecond(tensor) : tensor);
    }
    // The official code returns no state for a width of one; ours has no rows.
    const y = out.get(`${name}/forward.y`) as HostTensor;
    if (!out.has(`${name}/forward.lastState`)) out.set(`${name}/forward.lastState`, slice(y, 1, 0, 0));
  }
  write(
    'causal-conv1d',
    cases.map(({ name, activation }) => ({ name, ...(activation ? { activation } : {}) })),
    out,
  );
}

/** With heads, (H, P) channels become D = H P: head h's group is its channels' group. */
function stateUpdate(): void {
  const { cases, tensors } = official('state_update');
  const out: Tensors = new Map();
  for (const { name, heads } of cases) {
    const of = (key: string) => tensors.get(`${name}/${key}`) as HostTensor;
    const joined = (key: string, axis: number) => {
      const { shape } = of(key);
      if (heads === null) return of(key);
      const channels = shape[axis] * shape[axis + 1];
      return reshape(of(key), [...shape.slice(0, axis), channels, ...shape.slice(axis + 2)]);
    };
    out.set(`${name}/inputs.u`, joined('x', 1));
    out.set(`${name}/inputs.delta`, joined('dt', 1));
    out.set(`${name}/inputs.z`, joined('z', 1));
    out.set(`${name}/inputs.A`, joined('A', 0));
    out.set(`${name}/inputs.D`, joined('D', 0));
    out.set(`${name}/inputs.deltaBias`, joined('dt_bias', 0));
    out.set(`${name}/inputs.B`, of('B'));
    out.set(`${name}/inputs.C`, of('C'));
    out.set(`${name}/inputs.state`, joined('state', 1));
    out.set(`${name}/forward.y`, joined('y.f64', 1));
    out.set(`${name}/forward.state`, joined('state_out.f64', 1));
  }
  write(
    'state-update',
    cases.map(({ name }) => ({ name, softplus: true })),
    out,
  );
}

function s4d(): void {
  const { cases, tensors } = official('s4d');
  const out: Tensors = new Map();
  for (const { name } of cases) {
    for (const key of ['A', 'B', 'C', 'A_bar', 'B_bar', 'last_state'])
      put(
        out,
        `${name}/${key === 'last_state' ? 'lastState' : key}`,
        tensors.get(`${name}/${key}`) as HostTensor,
        true,
      );
    for (const key of ['dt', 'D', 'K'])
      out.set(`${name}/${key}`, tensors.get(`${name}/${key}`) as HostTensor);
    for (const key of ['u', 'y'])
      out.set(`${name}/${key}`, timeSecond(tensors.get(`${name}/${key}`) as HostTensor));
  }
  write(
    's4d',
    cases.map(({ name, init, disc, L }) => ({ name, init, discretization: disc, length: L })),
    out,
  );
}

/** The official convolution state has one column more than is needed, (B, D, W): its oldest is dropped. */
function convState(tensor: HostTensor): HostTensor {
  const byTime = timeSecond(tensor);
  return slice(byTime, 1, 1, byTime.shape[1]);
}

function mambaBlock(): void {
  const { cases, tensors } = official('mamba_block');
  const { configs } = JSON.parse(readFileSync(`${from}/mamba_block.json`, 'utf8'));
  const out: Tensors = new Map();
  const kept = cases.filter(({ name }) => BLOCKS.includes(name));
  for (const config of new Set(kept.map(({ weights }) => weights as string)))
    for (const [key, tensor] of tensors) if (key.startsWith(`${config}/`)) out.set(key, tensor);
  for (const { name } of kept) {
    const of = (key: string) => tensors.get(`${name}/${key}`) as HostTensor;
    out.set(`${name}/x`, of('x'));
    out.set(`${name}/dy`, of('dout'));
    out.set(`${name}/y`, of('y.f64'));
    out.set(`${name}/dx`, of('dx.f64'));
    out.set(`${name}/stepY`, of('step_y.f32'));
    out.set(`${name}/convState`, convState(of('conv_state.f32')));
    out.set(`${name}/ssmState`, of('ssm_state.f32'));
    for (const [key, tensor] of tensors) {
      const parameter = key.match(/^[^/]*\/grad\.(.*)\.f64$/)?.[1];
      if (parameter && key.startsWith(`${name}/`)) out.set(`${name}/grads.${parameter}`, tensor);
    }
  }
  write(
    'mamba-block',
    kept.map(({ name, weights }) => ({ name, weights, config: configs[weights as string] })),
    out,
  );
}

function tinyMamba(): void {
  for (const folder of ['tiny-mamba', 'tiny-mamba-hf']) {
    mkdirSync(`${to}/${folder}`, { recursive: true });
    for (const file of ['config.json', 'model.safetensors'])
      copyFileSync(`${from}/${folder}/${file}`, `${to}/${folder}/${file}`);
  }
  const { tensors } = readSafetensors(readFileSync(`${from}/tiny-mamba/expected.safetensors`));
  const expected = JSON.parse(readFileSync(`${from}/tiny-mamba/expected.json`, 'utf8'));
  const out: Tensors = new Map();
  const names: Record<string, string> = {
    input_ids: 'inputIds',
    prompt_ids: 'promptIds',
    greedy_ids: 'greedyIds',
    'greedy_step_logits.f32': 'greedyStepLogits',
    'hidden.norm_f.f64': 'hidden.final',
  };
  for (const [key, tensor] of tensors) {
    const state = key.match(/^prefill_state\.(\d+)\.(conv|ssm)\.f32$/);
    const gradient = key.match(/^grad\.(.*)\.f64$/);
    if (names[key]) out.set(names[key], tensor);
    else if (state)
      out.set(`prefill.${state[1]}.${state[2]}`, state[2] === 'conv' ? convState(tensor) : tensor);
    else if (gradient) out.set(`grads.${gradient[1]}`, tensor);
    else if (key.endsWith('.f64')) out.set(key.slice(0, -4), tensor);
  }
  const name = 'tiny-mamba';
  const { prompt_len: promptLength, new_tokens: newTokens } = expected;
  write(name, [{ name, promptLength, newTokens }], out);
}

mkdirSync(to, { recursive: true });
selectiveScan();
causalConv1d();
stateUpdate();
s4d();
mambaBlock();
tinyMamba();
