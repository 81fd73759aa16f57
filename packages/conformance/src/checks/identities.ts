import type { Tensor } from '@mamba-ts/backend';
import fc from 'fast-check';
import {
  evaluate,
  type HostTree,
  type HostValue,
  leaves,
  mapTree,
  type OpCase,
  type Outputs,
  readAll,
  upload,
} from '../cases/case.js';
import { convCases } from '../cases/conv.js';
import { type ScanOptions, scanCases } from '../cases/scan.js';
import { type HostTensor, hostI32, join, slice, total } from '../host.js';
import { judge, type NumericCheck, type NumericContext } from './check.js';

/*
 * What must come out the same in two ways. Nothing here needs an oracle: the backend is compared with itself.
 */

const group = 'identities';

/** A scan or a convolution, forward and backward, with what its inputs are cut by. */
interface Subject {
  readonly op: 'selectiveScan' | 'causalConv1d';
  readonly name: string;
  /** Forward and backward over a sequence of this length and batch. */
  make(options: { batch: number; length: number; seqIdx?: boolean; seed: number }): [OpCase, OpCase];
  readonly complex: boolean;
}

const EVERYTHING = {
  D: true,
  z: true,
  deltaBias: true,
  softplus: true,
  initialState: true,
  dLastState: true,
};

const scanSubject = (name: string, options: Partial<ScanOptions>): Subject => ({
  op: 'selectiveScan',
  name,
  make: (sizes) => scanCases(name, { ...EVERYTHING, ...options, ...sizes }),
  complex: options.complex !== undefined,
});

const SUBJECTS: readonly Subject[] = [
  scanSubject('variable B and C', { channels: 17, states: 8 }),
  scanSubject('grouped B, constant C', { B: 2, C: 'constant', channels: 6, states: 3 }),
  scanSubject('complex A', { complex: 'pair', B: 2, channels: 6, states: 3 }),
  scanSubject('zoh', { discretization: 'zoh', channels: 5, states: 4 }),
  {
    op: 'causalConv1d',
    name: 'width 4',
    make: (sizes) =>
      convCases('width 4', {
        channels: 17,
        width: 4,
        bias: true,
        activation: 'silu',
        initialState: true,
        dLastState: true,
        ...sizes,
      }),
    complex: false,
  },
];

/** Inputs and gradients that run along time: [B, L, ...]. What is [B, D, N] or [D, N] does not. */
const ALONG_TIME = ['u', 'delta', 'z', 'x', 'dy', 'seqIdx', 'du', 'ddelta', 'dz', 'dx', 'y'];
/** Those that have a batch axis but no time: states and their gradients. */
const STATES = ['initialState', 'dLastState', 'lastState', 'dInitialState'];

const head = (path: string) => path.split('.')[0];

/** B and C run along time unless they are constant [D, N]. */
function varies(path: string, { shape }: HostTensor): boolean {
  const name = head(path);
  return ALONG_TIME.includes(name) || (['B', 'C', 'dB', 'dC'].includes(name) && shape.length > 2);
}

/** A part of every input along time, or one row of the batch. */
function cut<T extends HostValue>(tree: T, axis: 0 | 1, start: number, end: number): T {
  return mapTree(tree, (tensor, path) => {
    const has = varies(path, tensor) || (axis === 0 && STATES.includes(head(path)));
    return has ? slice(tensor, axis, start, end) : tensor;
  }) as T;
}

const replace = (tree: HostTree, change: HostTree): HostTree => ({ ...tree, ...change });

/** `lastState`, or `{ re, im }` of it. */
function stateIn(outputs: Outputs, name: string): HostValue {
  const plain = outputs.get(name);
  if (plain) return plain;
  return { re: outputs.get(`${name}.re`) as HostTensor, im: outputs.get(`${name}.im`) as HostTensor };
}

/** Results of the pieces as the results of the whole: joined along time or batch, or summed. */
function assemble(pieces: readonly Outputs[], axis: 0 | 1, whole: Outputs): Outputs {
  return new Map(
    [...whole].map(([path, expected]) => {
      const parts = pieces.map((piece) => piece.get(path) as HostTensor);
      const name = head(path);
      if (varies(path, expected) || (axis === 0 && STATES.includes(name))) return [path, join(parts, axis)];
      if (name === 'lastState') return [path, parts.at(-1)!];
      if (name === 'dInitialState') return [path, parts[0]];
      return [path, total(parts)];
    }),
  );
}

/** Chunks with the state carried on, and the gradient carried back, against all at once. */
async function split(context: NumericContext, subject: Subject, cuts: readonly number[], seed: number) {
  const length = cuts.at(-1)!;
  const [forward, backward] = subject.make({ batch: 2, length, seed });
  const where = { group, name: `split: ${subject.name}` };
  const { backend, dtype } = context;

  const outputs: Outputs[] = [];
  const states: HostValue[] = [forward.inputs['initialState']];
  const ranges = cuts.map((end, i) => [i === 0 ? 0 : cuts[i - 1], end] as const);
  const piece = (i: number) => replace(cut(forward.inputs, 1, ...ranges[i]), { initialState: states[i] });
  for (let i = 0; i < ranges.length; i++) {
    outputs.push(await evaluate(backend, { ...forward, inputs: piece(i) }, dtype));
    states.push(stateIn(outputs[i], 'lastState'));
  }
  const whole = await evaluate(backend, forward, dtype);
  context.record(judge(context, where, forward.op, assemble(outputs, 1, whole), whole));

  if (!backend.supports(backward.op, { dtype, complex: subject.complex })) return;
  const gradients: Outputs[] = [];
  let dLastState = backward.grads!['dLastState'];
  for (let i = ranges.length - 1; i >= 0; i--) {
    const grads = replace(cut(backward.grads!, 1, ...ranges[i]), { dLastState });
    const found = await evaluate(backend, { ...backward, inputs: piece(i), grads }, dtype);
    gradients.unshift(found);
    dLastState = stateIn(found, 'dInitialState');
  }
  const all = await evaluate(backend, backward, dtype);
  context.record(judge(context, where, backward.op, assemble(gradients, 1, all), all));
}

/** One token at a time, the state updated in place, against all at once. */
async function stepByStep(context: NumericContext, subject: Subject): Promise<void> {
  const length = 13;
  const [forward] = subject.make({ batch: 3, length, seed: 5 });
  const { backend, dtype } = context;
  const made: Tensor[] = [];
  const place = (tensor: HostTensor) => {
    const uploaded = upload(backend, tensor, dtype);
    made.push(uploaded);
    return uploaded;
  };
  try {
    const { initialState, ...inputs } = forward.inputs;
    const state = mapTree(initialState, place);
    const results: [string, Tensor][] = [];
    for (let t = 0; t < length; t++) {
      const token = mapTree(cut(inputs, 1, t, t + 1), (tensor, path) => {
        const sameTime = varies(path, tensor) ? tensor.shape.toSpliced(1, 1) : tensor.shape;
        return place({ ...tensor, shape: sameTime });
      }) as object;
      const call = backend.ops[`${subject.op}Step`] as (inputs: object) => Tensor;
      const y = call.call(backend.ops, { ...token, state });
      made.push(y);
      results.push([String(t), y]);
    }
    const ys = await readAll(results);
    const last = await readAll(
      (leaves(state) as [string, Tensor][]).map(([path, tensor]) => [
        path ? `lastState.${path}` : 'lastState',
        tensor,
      ]),
    );
    const steps = [...ys.values()].map((y) => ({ ...y, shape: y.shape.toSpliced(1, 0, 1) }));
    const got = new Map([['y', join(steps, 1)], ...last]);
    const whole = await evaluate(backend, forward, dtype);
    context.record(judge(context, { group, name: `step by step: ${subject.name}` }, forward.op, got, whole));
  } finally {
    for (const tensor of made) tensor.dispose();
  }
}

/** Sequences packed into one row, against each alone. */
async function packed(context: NumericContext, subject: Subject): Promise<void> {
  // A sequence of one token, one shorter than a convolution's window, longer ones.
  const lengths = [7, 1, 2, 19, 11];
  const ends = lengths.map((_, i) => lengths.slice(0, i + 1).reduce((a, b) => a + b));
  const length = ends.at(-1)!;
  const [forward, backward] = subject.make({ batch: 1, length, seed: 6 });
  const seqIdx = hostI32(
    Array.from({ length }, (_, t) => 4 + ends.findIndex((end) => t < end)),
    [1, length],
  );
  const { backend, dtype } = context;
  const alone = (i: number) => {
    const inputs = cut(forward.inputs, 1, ends[i] - lengths[i], ends[i]);
    return i === 0 ? inputs : replace(inputs, { initialState: undefined });
  };
  const where = { group, name: `packed: ${subject.name}` };
  for (const c of [forward, backward]) {
    if (!backend.supports(c.op, { dtype, complex: subject.complex })) continue;
    const whole = await evaluate(backend, { ...c, inputs: replace(c.inputs, { seqIdx }) }, dtype);
    const pieces: Outputs[] = [];
    for (let i = 0; i < ends.length; i++) {
      let piece: OpCase = { ...c, inputs: alone(i) };
      if (c.grads) {
        const grads = cut(c.grads, 1, ends[i] - lengths[i], ends[i]);
        // Only the last sequence ends in the last state.
        piece = {
          ...piece,
          grads: i === ends.length - 1 ? grads : replace(grads, { dLastState: undefined }),
        };
      }
      pieces.push(await evaluate(backend, piece, dtype));
    }
    context.record(judge(context, where, c.op, assemble(pieces, 1, whole), whole));
  }
}

/** Each row of a batch, against the row alone. */
async function rows(context: NumericContext, subject: Subject): Promise<void> {
  const batch = 3;
  const cases = subject.make({ batch, length: 21, seqIdx: true, seed: 7 });
  const { backend, dtype } = context;
  for (const c of cases) {
    if (!backend.supports(c.op, { dtype, complex: subject.complex })) continue;
    const whole = await evaluate(backend, c, dtype);
    const pieces: Outputs[] = [];
    for (let b = 0; b < batch; b++) {
      const inputs = cut(c.inputs, 0, b, b + 1);
      const grads = c.grads && cut(c.grads, 0, b, b + 1);
      pieces.push(await evaluate(backend, { ...c, inputs, ...(grads ? { grads } : {}) }, dtype));
    }
    const where = { group, name: `row alone: ${subject.name}` };
    context.record(judge(context, where, c.op, assemble(pieces, 0, whole), whole));
  }
}

/** The seed of a random cut: sizes of 1 to 3 pieces. */
const anyCuts = (maxLength: number) =>
  fc
    .uniqueArray(fc.integer({ min: 1, max: Math.min(70, maxLength) }), { minLength: 2, maxLength: 4 })
    .map((cuts) => cuts.sort((a, b) => a - b));

export function identityChecks(): NumericCheck[] {
  const check = (
    subject: Subject,
    what: string,
    run: (context: NumericContext) => Promise<void>,
    step = false,
  ): NumericCheck => ({
    kind: 'numeric',
    group,
    name: `${subject.op}, ${subject.name}: ${what}`,
    needs: [subject.op, ...(step ? [`${subject.op}Step` as const] : [])].map((op) => ({
      op,
      complex: subject.complex,
    })),
    run,
  });
  return SUBJECTS.flatMap((subject) => [
    check(subject, 'forward = step by step', (context) => stepByStep(context, subject), true),
    check(subject, 'split anywhere = all at once', async (context) => {
      const property = fc.asyncProperty(
        anyCuts(context.limits.maxLength),
        fc.nat({ max: 1000 }),
        (cuts, seed) => split(context, subject, cuts, seed),
      );
      // The awkward cuts first: after one token, and before the last.
      const examples: [number[], number][] = [[[1, Math.max(2, Math.min(20, context.limits.maxLength))], 1]];
      await fc.assert(property, { numRuns: Math.ceil(context.runs / 3), seed: 2312, examples });
    }),
    check(subject, 'packed sequences = each alone', (context) => packed(context, subject)),
    check(subject, 'row of a batch = row alone', (context) => rows(context, subject)),
  ]);
}
