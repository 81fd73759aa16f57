import { type Backend, narrow, type Ops, type Tensor, widen } from '@mamba-ts/backend';
import { expect, test } from 'vitest';
import { audit } from '../src/index.js';
import { createMinimalBackend } from './minimal-backend.js';

/*
 * A suite that cannot fail proves nothing. Each of these backends is wrong in one way; the named test must say so.
 */

type Values = { values: Float32Array };
/** The minimal backend keeps its values in an array, which a saboteur may reach. */
const valuesOf = (tensor: unknown) => (tensor as Values).values;

/** A minimal backend with some of its ops, or other members, replaced. */
function sabotaged(change: (good: Backend) => { ops?: Partial<Ops> } & Partial<Omit<Backend, 'ops'>>) {
  return async (): Promise<Backend> => {
    const good = await createMinimalBackend();
    const { ops = {}, ...members } = change(good);
    const broken = new Proxy(good.ops, {
      get: (target, op: keyof Ops) => ops[op] ?? target[op],
    });
    return { ...good, ...members, ops: broken };
  };
}

const judge = (createBackend: () => Promise<Backend>) =>
  audit({
    name: 'sabotaged',
    createBackend,
    createOracle: createMinimalBackend,
    ops: ['copy', 'add', 'linear', 'selectiveScan', 'selectiveScanStep'],
    maxLength: 64,
    runs: 3,
  });

test('the backend without sabotage passes', async () => {
  const { passed, failed, skipped } = await judge(createMinimalBackend);
  expect(failed).toEqual([]);
  expect(passed.length).toBeGreaterThan(300);
  expect(skipped.map(({ name }) => name).join()).toContain('complex A');
});

const scan = (
  change: (inputs: Parameters<Ops['selectiveScan']>[0], good: Backend) => ReturnType<Ops['selectiveScan']>,
) => sabotaged((good) => ({ ops: { selectiveScan: (inputs) => change(inputs, good) } }));

/** What is wrong, the backend, and tests that must fail (each a part of a name). */
const SABOTAGE: [string, () => Promise<Backend>, string[]][] = [
  [
    'the scan ignores initialState',
    scan((inputs, { ops }) => ops.selectiveScan({ ...inputs, initialState: undefined })),
    [
      'f64, official figures > selectiveScan continue_rest',
      'f32, against the oracle > selectiveScan: initialState',
      'f32, against the oracle > selectiveScan: random shapes and options',
      'selectiveScan, variable B and C: split anywhere = all at once',
      'selectiveScan, variable B and C: forward = step by step',
      'lifetimes > selectiveScan: each disposed input is refused',
    ],
  ],
  [
    'the scan ignores seqIdx',
    scan((inputs, { ops }) => ops.selectiveScan({ ...inputs, seqIdx: undefined })),
    ['against the oracle > selectiveScan: seqIdx', 'packed sequences = each alone'],
  ],
  [
    'the scan ignores zoh',
    scan((inputs, { ops }) => ops.selectiveScan({ ...inputs, discretization: 'mamba' })),
    ['against the oracle > selectiveScan: zoh', 'against the oracle > selectiveScan: zoh near A = 0'],
  ],
  [
    'the scan rounds y to bf16',
    scan((inputs, { ops }) => {
      const result = ops.selectiveScan(inputs);
      const values = valuesOf(result.y);
      values.set(widen(narrow(values, 'bf16'), 'bf16'));
      return result;
    }),
    ['f32, official figures > selectiveScan c041', 'f64, official figures > selectiveScan c003'],
  ],
  [
    'the scan turns NaN into zero',
    scan((inputs, { ops }) => {
      const result = ops.selectiveScan(inputs);
      const values = valuesOf(result.y);
      values.set(values.map((value) => (Number.isNaN(value) ? 0 : value)));
      return result;
    }),
    ['not a number > selectiveScan: NaN in u stays where it belongs'],
  ],
  [
    'a NaN spreads to the next channel',
    scan((inputs, { ops }) => {
      const result = ops.selectiveScan(inputs);
      const values = valuesOf(result.y);
      values.set(values.map((value, i) => (Number.isNaN(values[i - 1]) ? Number.NaN : value)));
      return result;
    }),
    ['not a number > selectiveScan: NaN in u stays where it belongs'],
  ],
  [
    'rows of a batch share a state',
    scan((inputs, { ops }) => {
      const result = ops.selectiveScan(inputs);
      const values = valuesOf(result.lastState);
      values.copyWithin(values.length / inputs.u.shape[0], 0);
      return result;
    }),
    ['selectiveScan, variable B and C: row of a batch = row alone'],
  ],
  [
    'the step leaves the state as it was',
    sabotaged(({ ops }) => ({
      ops: {
        selectiveScanStep: (inputs) => {
          const state = ops.copy({ x: inputs.state as Tensor });
          const y = ops.selectiveScanStep({ ...inputs, state });
          state.dispose();
          return y;
        },
      },
    })),
    [
      'official figures > selectiveScanStep upd0',
      'forward = step by step',
      'purity > copy: a forked state goes on by itself',
    ],
  ],
  [
    'linear forgets the bias',
    sabotaged(({ ops }) => ({ ops: { linear: (inputs) => ops.linear({ ...inputs, bias: undefined }) } })),
    ['against the oracle > linear: bias', 'errors > linear: every wrong shape is a SHAPE'],
  ],
  [
    'copy gives the tensor itself',
    sabotaged(() => ({ ops: { copy: ({ x }) => x } })),
    ['purity > copy: a forked state goes on by itself'],
  ],
  [
    'add writes into its input',
    sabotaged(({ ops }) => ({
      ops: {
        add: (inputs) => {
          const y = ops.add(inputs);
          valuesOf(inputs.a).set(valuesOf(y));
          return y;
        },
      },
    })),
    ['purity > add leaves its inputs alone'],
  ],
  [
    'add forgets a tensor',
    sabotaged(({ ops }) => ({
      ops: {
        add: (inputs) => {
          ops.copy({ x: inputs.a });
          return ops.add(inputs);
        },
      },
    })),
    ['against the oracle > add: [3]', 'memory > add: each result is counted, and goes'],
  ],
  [
    'add is not deterministic',
    sabotaged(({ ops }) => ({
      ops: {
        add: (inputs) => {
          const y = ops.add(inputs);
          valuesOf(y).set(valuesOf(y).map((value) => value * (1 + 1e-6 * Math.random())));
          return y;
        },
      },
    })),
    ['determinism > add: run to run, bit for bit'],
  ],
  [
    'add needs its inputs until it is read',
    sabotaged(({ ops }) => ({
      ops: {
        add: (inputs) => {
          const y = ops.add(inputs);
          const data = y.data.bind(y);
          return Object.assign(y, {
            data: () =>
              inputs.a.disposed
                ? Promise.resolve(new Float32Array(y.shape.reduce((a, b) => a * b, 1)))
                : data(),
          });
        },
      },
    })),
    ['purity > add leaves its inputs alone, and its results do not need them'],
  ],
  [
    'errors are not typed',
    sabotaged(({ ops }) => ({
      ops: {
        add: (inputs) => {
          try {
            return ops.add(inputs);
          } catch {
            throw new Error('no');
          }
        },
      },
    })),
    [
      'errors > add: every wrong shape is a SHAPE',
      'errors > add: every wrong element type is a DTYPE',
      'errors > add does not broadcast',
      'lifetimes > add: each disposed input is refused',
    ],
  ],
  [
    'errors come late',
    sabotaged(({ ops }) => ({
      ops: {
        add: (inputs) => {
          try {
            return ops.add(inputs);
          } catch (error) {
            const late = Promise.reject(error);
            late.catch(() => {});
            return late as unknown as Tensor;
          }
        },
      },
    })),
    ['errors > add: every wrong shape is a SHAPE'],
  ],
  [
    'messages do not say where',
    sabotaged(({ ops }) => ({
      ops: {
        add: (inputs) => {
          try {
            return ops.add(inputs);
          } catch (error) {
            throw Object.assign(error as Error, { message: 'wrong shape' });
          }
        },
      },
    })),
    ['errors > add: every wrong shape is a SHAPE'],
  ],
  [
    'a scope frees nothing',
    sabotaged(() => ({ scope: (run) => run() })),
    [
      'memory > a scope frees what it made and did not return',
      'memory > a scope that throws frees everything, and passes the error on',
      'memory > a scope refuses a promise, and frees what was made',
    ],
  ],
  [
    'zeros are not zero',
    sabotaged((good) => ({
      zeros: (shape, dtype) =>
        good.tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1), shape, dtype),
    })),
    ['tensors > zeros are zeros'],
  ],
  [
    'bytes are not counted',
    sabotaged((good) => ({ memory: () => ({ tensors: good.memory().tensors, bytes: 0 }) })),
    ['memory > a tensor is counted until it is disposed, twice is once'],
  ],
  [
    'dispose leaves the backend working',
    sabotaged(() => ({ dispose: async () => {} })),
    ['lifetimes > dispose is idempotent, frees everything, and later calls throw DISPOSED'],
  ],
  [
    'write writes nothing, and a replay is only the first run',
    sabotaged((good) => ({
      capture: (run) => ({ result: good.scope(run), replay() {}, dispose() {} }),
      write() {},
    })),
    [
      'capture > a replay is the step again, with what was written and in place',
      'capture > write is in order with ops, and refuses what does not fit',
    ],
  ],
  [
    'supports denies what runs',
    sabotaged((good) => ({ supports: (op, need) => op !== 'add' && good.supports(op, need) })),
    ['errors > what supports() denies throws UNSUPPORTED_OP'],
  ],
];

test.each(SABOTAGE)('caught: %s', async (_, createBackend, tests) => {
  const failed = (await judge(createBackend)).failed.map(({ name }) => name);
  for (const name of tests)
    expect(
      failed.filter((one) => one.includes(name)),
      name,
    ).not.toEqual([]);
});

test('a complaint says which op, which case, how far off, where, and what was expected', async () => {
  const [, createBackend] = SABOTAGE[0];
  const { failed } = await judge(createBackend);
  const complaint = failed.find(({ name }) => name.endsWith('selectiveScan continue_rest'))!;
  expect(complaint.message).toMatch(
    /^selectiveScan \(continue_rest\): off by [\d.e-]+, 1e-11 is allowed\. y: element \d+ is [-\d.e]+, should be [-\d.e]+$/m,
  );
});
