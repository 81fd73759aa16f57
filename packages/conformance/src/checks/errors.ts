import type { Tensor } from '@mamba-ts/backend';
import { type AnyOp, leaves, mapTree, type OpCase, upload } from '../cases/case.js';
import { definitionOf } from '../cases/definitions.js';
import { OP_NAMES } from '../cases/families.js';
import { samples } from '../cases/samples.js';
import { scanCases } from '../cases/scan.js';
import { type HostTensor, hostF32 } from '../host.js';
import type { ContractCheck, ContractContext } from './check.js';
import { expectCode } from './expect-code.js';

const group = 'errors';

/**
 * Axes that may grow alone and leave a legal call, as `op input:axis` (an input of `*` is every one). All others must be
 * refused with `SHAPE`.
 */
const FREE = new Set([
  'embedding ids:*',
  'embedding weight:*',
  'embeddingBackward weight:0',
  'linear x:0',
  'linear x:1',
  'longConv x:0',
  'longConv x:1',
  'longConv kernel:1',
  'longConvBackward kernel:1',
  'sample logits:1',
  'silu x:*',
  'exp x:*',
  'copy x:*',
  'argmax x:*',
  'split x:other',
  'concat tensors:along',
  'crossEntropy logits:last',
  'crossEntropyBackward logits:last',
  'gradNorm grads:*',
]);

function isFree({ op, inputs }: OpCase, path: string, axis: number, rank: number): boolean {
  const input = path.split('.')[1];
  const cutAxis = inputs['axis'] as number | undefined;
  return [
    `${op} ${input}:*`,
    `${op} ${input}:${axis}`,
    ...(axis === rank - 1 ? [`${op} ${input}:last`] : []),
    ...(cutAxis === undefined ? [] : [`${op} ${input}:${axis === cutAxis ? 'along' : 'other'}`]),
  ].some((key) => FREE.has(key));
}

/** Where i32 is as good as a float. */
const ANY_TYPE = new Set<AnyOp>(['copy', 'split', 'concat']);

/** Calls the op with one tensor replaced. */
function callWith(context: ContractContext, c: OpCase, bad: string, put: () => Tensor): unknown {
  const { backend, dtype } = context;
  return backend.scope(() => {
    const place = (prefix: string) => (tensor: HostTensor, path: string) =>
      `${prefix}.${path}` === bad ? put() : upload(backend, tensor, dtype);
    const args = [mapTree(c.inputs, place('inputs'))];
    if (c.grads) args.push(mapTree(c.grads, place('grads')));
    const call = backend.ops[c.op] as (...args: unknown[]) => unknown;
    call.apply(backend.ops, args);
  });
}

/** The op that a message must name; a gradient or a step may speak of the op itself. */
const named = (op: AnyOp) => op.replace(/(Backward|Step)$/, '');

const tensorsOf = (c: OpCase) => leaves({ inputs: c.inputs, grads: c.grads }) as [string, HostTensor][];

const zeros = ({ backend, dtype }: ContractContext, tensor: HostTensor, shape: readonly number[]) =>
  backend.zeros(shape, tensor.dtype === 'i32' ? 'i32' : dtype);

function shapes(c: OpCase): ContractCheck {
  return {
    kind: 'contract',
    group,
    name: `${c.op}: every wrong shape is a SHAPE`,
    needs: [{ op: c.op }],
    run: async (context) => {
      for (const [path, tensor] of tensorsOf(c)) {
        for (const [axis, size] of tensor.shape.entries()) {
          if (isFree(c, path, axis, tensor.shape.length)) continue;
          const shape = tensor.shape.with(axis, size + 1);
          const what = `${c.op} (${c.name}) with ${path} [${shape}] for [${tensor.shape}]`;
          expectCode(
            'SHAPE',
            what,
            () => callWith(context, c, path, () => zeros(context, tensor, shape)),
            named(c.op),
          );
        }
      }
    },
  };
}

function dtypes(c: OpCase): ContractCheck {
  return {
    kind: 'contract',
    group,
    name: `${c.op}: every wrong element type is a DTYPE`,
    needs: [{ op: c.op }],
    run: async (context) => {
      const { backend, dtype } = context;
      for (const [path, tensor] of tensorsOf(c)) {
        const wrong = tensor.dtype === 'i32' ? dtype : 'i32';
        const what = `${c.op} (${c.name}) with ${path} of ${wrong}`;
        expectCode(
          'DTYPE',
          what,
          () => callWith(context, c, path, () => backend.zeros(tensor.shape, wrong)),
          named(c.op),
        );
      }
    },
  };
}

/** f32 beside f64, where there is f64. */
function mixed(c: OpCase): ContractCheck {
  return {
    kind: 'contract',
    group,
    name: `${c.op}: f32 and f64 do not mix`,
    needs: [
      { op: c.op, dtype: 'f64' },
      { op: c.op, dtype: 'f32' },
    ],
    run: async (context) => {
      const floats = tensorsOf(c).filter(([, tensor]) => tensor.dtype !== 'i32');
      if (floats.length < 2) return;
      const other = context.dtype === 'f64' ? 'f32' : 'f64';
      for (const [path, tensor] of floats) {
        const what = `${c.op} (${c.name}) with ${path} of ${other} among ${context.dtype}`;
        const put = () => context.backend.zeros(tensor.shape, other);
        expectCode('DTYPE', what, () => callWith(context, c, path, put), named(c.op));
      }
    },
  };
}

/** Calls whose shapes are wrong together rather than one by one. */
function particular(): ContractCheck[] {
  const check = (name: string, op: AnyOp, run: (context: ContractContext) => void): ContractCheck => ({
    kind: 'contract',
    group,
    name,
    needs: op === 'selectiveScan' && name.includes('complex') ? [{ op, complex: true }] : [{ op }],
    run: async (context) => run(context),
  });
  const replaced = (context: ContractContext, c: OpCase, path: string, shape: readonly number[]) =>
    expectCode(
      'SHAPE',
      `${c.op} with ${path} [${shape}]`,
      () => callWith(context, c, path, () => context.backend.zeros(shape, context.dtype)),
      named(c.op),
    );
  const [plain] = scanCases('plain', { batch: 2, length: 4, channels: 6, states: 3 });
  const [complex] = scanCases('complex', { batch: 2, length: 4, channels: 6, states: 3, complex: 'pair' });
  return [
    check('selectiveScan: groups must divide the channels', 'selectiveScan', (context) => {
      for (const groups of [4, 5, 7]) replaced(context, plain, 'inputs.B', [2, 4, groups, 3]);
    }),
    check('selectiveScan: wrong numbers of axes are a SHAPE', 'selectiveScan', (context) => {
      replaced(context, plain, 'inputs.u', [4, 6]);
      replaced(context, plain, 'inputs.A', [6, 3, 1]);
      replaced(context, plain, 'inputs.A', [18]);
      replaced(context, plain, 'inputs.B', [2, 4, 2, 3, 1]);
    }),
    check('selectiveScan: packed B needs complex A', 'selectiveScan', (context) => {
      replaced(context, plain, 'inputs.B', [2, 8, 3]);
    }),
    check('selectiveScan: the parts of complex tensors have one shape', 'selectiveScan', (context) => {
      replaced(context, complex, 'inputs.A.im', [6, 4]);
      replaced(context, complex, 'inputs.B.re', [2, 5, 3]);
    }),
    check('split: the sizes must add up', 'split', (context) => {
      const { backend, dtype } = context;
      for (const sizes of [[2, 2], [2, 2, 2], []])
        expectCode('SHAPE', `split of [5] into [${sizes}]`, () =>
          backend.scope(() => void backend.ops.split({ x: backend.zeros([5], dtype), sizes, axis: 0 })),
        );
    }),
    ...(['add', 'mul'] as const).map((op) =>
      check(`${op} does not broadcast`, op, ({ backend, dtype }) => {
        for (const shape of [[3], [1, 3], [2, 1], []])
          expectCode('SHAPE', `${op} of [2, 3] and [${shape}]`, () =>
            backend.scope(() => {
              backend.ops[op]({ a: backend.zeros([2, 3], dtype), b: backend.zeros(shape, dtype) });
            }),
          );
      }),
    ),
  ];
}

function tensors(): ContractCheck[] {
  return [
    {
      kind: 'contract',
      group,
      name: 'tensor and zeros: counts, shapes and types are checked',
      needs: [],
      run: async ({ backend }) => {
        const shape = (what: string, run: () => unknown) => expectCode('SHAPE', what, run);
        shape('3 numbers as [2, 2]', () => backend.tensor([1, 2, 3], [2, 2]));
        shape('3 numbers as []', () => backend.tensor(hostF32([1, 2, 3], []).data, []));
        shape('zeros [-1]', () => backend.zeros([-1]));
        shape('zeros [1.5]', () => backend.zeros([1.5]));
        shape('zeros [NaN]', () => backend.zeros([Number.NaN]));
        expectCode('DTYPE', 'a type that no one has', () => backend.zeros([1], 'f8' as 'f32'));
        if (!OP_NAMES.some((op) => backend.supports(op, { dtype: 'f64' })))
          expectCode('DTYPE', 'f64', () => backend.tensor([1], [1], 'f64'));
      },
    },
    {
      kind: 'contract',
      group,
      name: 'what supports() denies throws UNSUPPORTED_OP',
      needs: [],
      run: async (context) => {
        for (const c of samples().values()) {
          if (definitionOf(c.op) || context.backend.supports(c.op, { dtype: context.dtype })) continue;
          const what = `${c.op}, which supports() denies`;
          expectCode('UNSUPPORTED_OP', what, () => callWith(context, c, '', () => context.backend.zeros([])));
        }
      },
    },
  ];
}

export function errorChecks(): ContractCheck[] {
  const all = [...samples().values()];
  return [
    ...tensors(),
    ...all.map(shapes),
    ...all.filter(({ op }) => !ANY_TYPE.has(op)).map(dtypes),
    ...all.map(mixed),
    ...particular(),
  ];
}
