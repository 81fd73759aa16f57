import type { Backend, OpName, Tensor } from '@mamba-ts/backend';
import { type Outputs, readAll, upload } from '../cases/case.js';
import {
  BACKWARD,
  backward,
  FORWARD,
  forward,
  logitsOf,
  MODEL,
  type Model,
  of,
  STEP,
  sizesOf,
  step,
  type Weights,
} from '../cases/mixer.js';
import { fixture, fixtureFolder, readFixture } from '../figures/load.js';
import { type HostTensor, hostI32, slice } from '../host.js';
import { judgeAs, type NumericCheck, type NumericContext } from './check.js';

/*
 * What each op does alone, they must do in a row, over tensors that another of them made.
 */

const group = 'official figures';

/** Runs `body` with tensors that are gone afterwards, and reads the ones that it returns. */
async function reading(backend: Backend, body: () => ReadonlyMap<string, Tensor>): Promise<Outputs> {
  const results = backend.scope(body);
  try {
    return await readAll([...results]);
  } finally {
    for (const tensor of results.values()) tensor.dispose();
  }
}

/** Official convolution weights are [D, 1, W]. */
const asOurs = (name: string, tensor: HostTensor): HostTensor =>
  name.endsWith('conv1d.weight') ? { ...tensor, shape: [tensor.shape[0], tensor.shape[2]] } : tensor;

function zeroState({ backend, dtype }: NumericContext, weights: Weights, batch: number) {
  const { inner, states } = sizesOf(weights);
  const taps = of(weights, 'conv1d.weight').shape[1];
  return {
    conv: backend.zeros([batch, taps - 1, inner], dtype),
    ssm: backend.zeros([batch, inner, states], dtype),
  };
}

async function blockChecks(maxLength: number): Promise<NumericCheck[]> {
  const { cases, tensorsOf } = await fixture('mamba-block');
  return cases.flatMap(({ name, weights: from }): NumericCheck[] => {
    const tensors = tensorsOf(name);
    const [x, dy] = [tensors.get('x') as HostTensor, tensors.get('dy') as HostTensor];
    const [batch, length, width] = x.shape;
    if (length > maxLength) return [];
    const uploads = ({ backend, dtype }: NumericContext): Weights =>
      new Map(
        [...tensorsOf(from as string)].map(([key, tensor]) => [
          key,
          upload(backend, asOurs(key, tensor), dtype),
        ]),
      );
    const check = (
      what: string,
      ops: readonly OpName[],
      kind: 'forward' | 'gradient',
      want: Outputs,
      body: (context: NumericContext) => ReadonlyMap<string, Tensor>,
    ): NumericCheck => ({
      kind: 'numeric',
      group,
      name: `mixer ${name}: ${what}`,
      needs: ops.map((op) => ({ op })),
      run: async (context) => {
        const got = await reading(context.backend, () => body(context));
        context.record(judgeAs(context, { group, name }, `mixer, ${what}`, kind, got, want));
      },
    });
    const wantedGradients = new Map(
      [...tensors]
        .filter(([key]) => key === 'dx' || key.startsWith('grads.'))
        .map(([key, tensor]) => [key, asOurs(key, tensor)]),
    );
    const y = tensors.get('y') as HostTensor;
    return [
      check('forward', FORWARD, 'forward', new Map([['y', y]]), (context) => {
        const { backend, dtype } = context;
        return new Map([['y', forward(backend.ops, uploads(context), upload(backend, x, dtype)).y]]);
      }),
      check('gradients', BACKWARD, 'gradient', wantedGradients, (context) => {
        const { backend, dtype } = context;
        const [input, grad] = [upload(backend, x, dtype), upload(backend, dy, dtype)];
        return backward(backend.ops, uploads(context), input, grad);
      }),
      check(
        'step by step',
        [...STEP, 'concat'],
        'forward',
        new Map([['y', { ...y, shape: [batch, length * width] }]]),
        (context) => {
          const { backend, dtype } = context;
          const weights = uploads(context);
          const state = zeroState(context, weights, batch);
          const flat = upload(backend, { ...x, shape: [batch, length * width] }, dtype);
          const sizes = Array<number>(length).fill(width);
          const tokens = backend.ops.split({ x: flat, sizes, axis: 1 });
          const ys = tokens.map((token) => step(backend.ops, weights, token, state));
          return new Map([['y', backend.ops.concat({ tensors: ys, axis: 1 })]]);
        },
      ),
    ];
  });
}

function modelOf({ backend, dtype }: NumericContext, file: ReadonlyMap<string, HostTensor>): Model {
  const get = (name: string) =>
    upload(backend, asOurs(name, file.get(`backbone.${name}`) as HostTensor), dtype);
  const layers = [...file.keys()].filter((name) => name.endsWith('.A_log')).length;
  return {
    layers: Array.from({ length: layers }, (_, i) => {
      const prefix = `backbone.layers.${i}.mixer.`;
      const names = [...file.keys()].filter((name) => name.startsWith(prefix));
      return {
        mixer: new Map(names.map((name) => [name.slice(prefix.length), get(name.slice('backbone.'.length))])),
        norm: get(`layers.${i}.norm.weight`),
      };
    }),
    embedding: get('embedding.weight'),
    norm: get('norm_f.weight'),
  };
}

async function languageModelChecks(): Promise<NumericCheck[]> {
  const { cases, tensors } = await fixture('tiny-mamba');
  const promptLength = cases[0]['promptLength'] as number;
  const expected = (name: string) => tensors.get(name) as HostTensor;
  const weights = async () =>
    (await readFixture(new URL('model.safetensors', fixtureFolder('tiny-mamba')))).tensors;
  const check = (name: string, ops: readonly OpName[], run: NumericCheck['run']): NumericCheck => ({
    kind: 'numeric',
    group,
    name: `tiny language model: ${name}`,
    needs: ops.map((op) => ({ op })),
    run,
  });
  return [
    check('logits and loss', [...FORWARD, ...MODEL, 'crossEntropy'], async (context) => {
      const { backend, dtype } = context;
      const { ops } = backend;
      const file = await weights();
      const inputIds = expected('inputIds');
      const [batch, length] = inputIds.shape;
      const got = await reading(backend, () => {
        const model = modelOf(context, file);
        const ids = upload(backend, inputIds, dtype);
        const logits = logitsOf(ops, model, ids, (i, x) => forward(ops, model.layers[i].mixer, x).y);
        const [predictions] = ops.split({ x: logits, sizes: [length - 1, 1], axis: 1 });
        const next = Array.from({ length: batch }, (_, b) =>
          inputIds.data.subarray(b * length + 1, (b + 1) * length),
        );
        const targets = hostI32(
          next.flatMap((row) => [...row]),
          [batch, length - 1],
        );
        const loss = ops.crossEntropy({ logits: predictions, targets: upload(backend, targets, dtype) });
        return new Map([
          ['logits', logits],
          ['loss', loss],
        ]);
      });
      const want = new Map([
        ['logits', expected('logits')],
        ['loss', expected('loss')],
      ]);
      context.record(judgeAs(context, { group, name: 'tiny-mamba' }, 'language model', 'forward', got, want));
    }),
    check('greedy continuation, token by token', [...STEP, ...MODEL, 'argmax', 'concat'], async (context) => {
      const { backend, dtype } = context;
      const { ops } = backend;
      const file = await weights();
      const ids = expected('greedyIds');
      const [batch, length] = ids.shape;
      // [T, B]: a column of the ids is a row.
      const column = (t: number): HostTensor => ({ ...slice(ids, 1, t, t + 1), shape: [batch] });
      const got = await reading(backend, () => {
        const model = modelOf(context, file);
        const states = model.layers.map(({ mixer }) => zeroState(context, mixer, batch));
        const found: Tensor[] = [];
        let token = upload(backend, column(0), dtype);
        for (let t = 1; t < length; t++) {
          const logits = logitsOf(ops, model, token, (i, x) =>
            step(ops, model.layers[i].mixer, x, states[i]),
          );
          token = t < promptLength ? upload(backend, column(t), dtype) : ops.argmax({ x: logits });
          if (t >= promptLength) found.push(token);
        }
        return new Map([['ids', ops.concat({ tensors: found, axis: 0 })]]);
      });
      const wanted = Array.from({ length: length - promptLength }, (_, i) => [
        ...column(promptLength + i).data,
      ]);
      const want = new Map([['ids', hostI32(wanted.flat(), [batch * wanted.length])]]);
      context.record(
        judgeAs(context, { group, name: 'tiny-mamba' }, 'language model, stepped', 'forward', got, want),
      );
    }),
  ];
}

export async function modelChecks(maxLength: number): Promise<NumericCheck[]> {
  return [...(await blockChecks(maxLength)), ...(await languageModelChecks())];
}
