import type { Backend, Capture, Tensor, TensorSource } from '@mamba-ts/backend';
import { mapTree } from '../cases/case.js';
import { scanStepCase } from '../cases/scan.js';
import type { HostTensor } from '../host.js';
import { type ContractCheck, ensure, fail } from './check.js';
import { expectCode } from './expect-code.js';

/** A backend that has the two optional members. */
type Capturing = Backend & Required<Pick<Backend, 'capture' | 'write'>>;

const values = async (tensor: Tensor) => [...(await tensor.data())];
const same = (a: readonly number[], b: readonly number[]) => a.join() === b.join();

/** `capture` and `write`, where a backend has them. */
export function captureChecks(): ContractCheck[] {
  const check = (
    name: string,
    needs: ContractCheck['needs'],
    run: (backend: Capturing, make: Make) => Promise<void>,
  ): ContractCheck => ({
    kind: 'contract',
    group: 'capture',
    name,
    needs,
    about: 'capture',
    run: async ({ backend, dtype }) => {
      const made: Tensor[] = [];
      const make: Make = (data, shape) => {
        const tensor = backend.tensor(data, shape, dtype);
        made.push(tensor);
        return tensor;
      };
      try {
        await run(backend as Capturing, make);
      } finally {
        for (const tensor of made) tensor.dispose();
      }
    },
  });
  return [
    check(
      'a replay is the step again, with what was written and in place',
      [{ op: 'selectiveScanStep' }],
      scanSteps,
    ),
    check('what other ops made of a state or a result stays as it is', STATE_OPS, madeFromState),
    check(
      'other work does not meet its memory, and replays hold nothing',
      [{ op: 'add' }, { op: 'mul' }],
      memory,
    ),
    check('a capture that throws, or was disposed, leaves nothing', [{ op: 'add' }], endings),
    check('write is in order with ops, and refuses what does not fit', [{ op: 'add' }], writes),
  ];
}

type Make = (data: TensorSource, shape: readonly number[]) => Tensor;
const STATE_OPS = [{ op: 'add' }, { op: 'copy' }, { op: 'split' }, { op: 'causalConv1dStep' }] as const;

async function scanSteps(backend: Capturing, make: Make): Promise<void> {
  const c = scanStepCase('capture', { channels: 17, states: 8, D: true, z: true, softplus: true, seed: 4 });
  const { state: start, ...rest } = c.inputs;
  const place = ({ data, shape }: HostTensor) => make(data, shape);
  type Inputs = Parameters<Backend['ops']['selectiveScanStep']>[0];
  const inputs = mapTree(rest, place) as Omit<Inputs, 'state'>;
  const states = [place(start as HostTensor), place(start as HostTensor)];
  const step = (state: Tensor) => backend.ops.selectiveScanStep({ ...inputs, state });
  const captured = backend.capture(() => step(states[0]));
  try {
    for (let i = 0; i < 4; i++) {
      if (i > 0) {
        backend.write(
          inputs.u,
          (rest['u'] as HostTensor).data.map((x) => x + i),
        );
        captured.replay();
      }
      const want = step(states[1]);
      const [got, wanted] = [await values(captured.result), await values(want)];
      want.dispose();
      ensure(same(got, wanted), `replay ${i} gives ${got}, should give ${wanted}`);
    }
    const [got, want] = [await values(states[0]), await values(states[1])];
    ensure(same(got, want), `the state after replays is ${got}, should be ${want}`);
  } finally {
    captured.dispose();
    captured.result.dispose();
  }
}

/** Rows and columns of a state, and its copy, taken before and while it is captured. */
async function madeFromState(backend: Capturing, make: Make): Promise<void> {
  const { ops } = backend;
  const state = make([1, 2, 3, 4], [1, 2, 2]);
  const x = make([5, 6], [1, 2]);
  const weight = make([1, 1, 1, 1, 1, 1], [2, 3]);
  const derived: [string, Tensor][] = [];
  const take = (when: string, of: Tensor) =>
    derived.push(
      [`a copy taken ${when}`, ops.copy({ x: of })],
      ...ops
        .split({ x: of, sizes: [1, 1], axis: of.shape.length - 1 })
        .map((piece): [string, Tensor] => [`a piece taken ${when}`, piece]),
      [`a sum taken ${when}`, ops.add({ a: of, b: of })],
    );
  take('before the capture', state);
  const captured = backend.capture(() => ops.causalConv1dStep({ x, weight, state }));
  try {
    take('of the state', state);
    take('of the result', captured.result);
    const before = await Promise.all(derived.map(([, tensor]) => values(tensor)));
    const reading = values(state);
    captured.replay();
    captured.replay();
    const read = await reading;
    ensure(
      same(read, [3, 4, 5, 6]),
      `a read gives ${read} after replays that came later, should give 3,4,5,6`,
    );
    for (const [i, [what, tensor]] of derived.entries()) {
      const now = await values(tensor);
      ensure(same(now, before[i]), `${what} was ${before[i]} and is ${now} after replays`);
    }
    const now = await values(state);
    ensure(same(now, [5, 6, 5, 6]), `the state is ${now} after replays, should be 5,6,5,6`);
  } finally {
    captured.dispose();
    captured.result.dispose();
    for (const [, tensor] of derived) tensor.dispose();
  }
}

async function memory(backend: Capturing, make: Make): Promise<void> {
  const { ops } = backend;
  const x = make([1, 2], [2]);
  // The sum is freed when the function ends; every replay uses its memory.
  const captured = backend.capture(() => {
    const sum = ops.add({ a: x, b: x });
    return ops.mul({ a: sum, b: sum });
  });
  try {
    const others = Array.from({ length: 20 }, (_, i) => make([i, -i], [2]));
    const before = backend.memory();
    for (let i = 0; i < 5; i++) captured.replay();
    const after = backend.memory();
    ensure(after.tensors === before.tensors && after.bytes === before.bytes, 'replays make tensors');
    ensure(same(await values(captured.result), [4, 16]), `the result is ${await values(captured.result)}`);
    for (const [i, other] of others.entries())
      ensure(same(await values(other), [i, -i]), `a replay overwrote another tensor: ${await values(other)}`);
  } finally {
    captured.dispose();
    captured.result.dispose();
  }
}

async function endings(backend: Capturing, make: Make): Promise<void> {
  const x = make([1], [1]);
  const before = backend.memory();
  const error = new Error('mine');
  let caught: unknown;
  try {
    backend.capture(() => {
      backend.ops.add({ a: x, b: x });
      throw error;
    });
  } catch (thrown) {
    caught = thrown;
  }
  ensure(caught === error, `the capture threw ${caught}`);
  ensure(backend.memory().tensors === before.tensors, 'a capture that threw left tensors behind');
  expectCode('INVALID_ARGUMENT', 'capture of a promise', () => backend.capture(async () => {}));
  const captured: Capture<Tensor> = backend.capture(() => backend.ops.add({ a: x, b: x }));
  captured.dispose();
  captured.dispose();
  backend.write(x, [5]);
  captured.replay();
  const [result] = await values(captured.result);
  captured.result.dispose();
  if (result !== 2) fail(`a disposed capture was replayed: its result is ${result}, should still be 2`);
}

async function writes(backend: Capturing, make: Make): Promise<void> {
  const x = make([1, 2], [2]);
  const sum = backend.ops.add({ a: x, b: x });
  backend.write(x, [10, 20]);
  const [first, second] = [await values(sum), await values(x)];
  ensure(same(first, [2, 4]), `an op before the write gave ${first}, should give 2,4`);
  ensure(same(second, [10, 20]), `10,20 was written, and it is ${second}`);
  backend.write(x, sum);
  sum.dispose();
  ensure(same(await values(x), [2, 4]), `2,4 was written from a tensor, and it is ${await values(x)}`);
  expectCode('SHAPE', 'write of three numbers', () => backend.write(x, [1, 2, 3]));
  const other = make([1, 2, 3], [3]);
  expectCode('SHAPE', 'write of a tensor of three', () => backend.write(x, other));
  const ids = backend.tensor([1, 2], [2], 'i32');
  expectCode('DTYPE', 'write of an i32 tensor', () => backend.write(x, ids));
  ids.dispose();
  ensure(same(await values(x), [2, 4]), 'a refused write wrote');
}
