import type { Backend, Tensor } from '@mamba-ts/backend';
import { type AnyOp, leaves, mapTree, upload } from '../cases/case.js';
import { samples } from '../cases/samples.js';
import type { HostTensor } from '../host.js';
import { type ContractCheck, type ContractContext, contract, ensure } from './check.js';
import { expectCode, expectCodeAsync } from './expect-code.js';

/** What `dispose` of tensors and of backends must do. */
export function lifetimeChecks(): ContractCheck[] {
  const check = (
    name: string,
    run: (context: ContractContext) => Promise<void>,
    needs: ContractCheck['needs'] = [],
  ) => contract('lifetimes', name, needs, run);
  const calls = (backend: Backend, op: AnyOp, inputs: object, grads: object | undefined) =>
    (backend.ops[op] as (...args: unknown[]) => unknown).call(backend.ops, inputs, grads);
  return [
    check('a disposed tensor cannot be read', async ({ backend }) => {
      const tensor = backend.zeros([2]);
      tensor.dispose();
      await expectCodeAsync('DISPOSED', 'data()', () => tensor.data());
    }),
    check(
      'dispose is idempotent, frees everything, and later calls throw DISPOSED',
      async ({ create, dtype }) => {
        const backend = await create();
        const tensor = backend.tensor([1, 2], [2], dtype);
        await backend.dispose();
        await backend.dispose();
        ensure(tensor.disposed, 'the tensors of a disposed backend are disposed');
        tensor.dispose();
        expectCode('DISPOSED', 'tensor', () => backend.tensor([1], [1]));
        expectCode('DISPOSED', 'zeros', () => backend.zeros([1]));
        expectCode('DISPOSED', 'scope', () => backend.scope(() => 1));
        await expectCodeAsync('DISPOSED', 'data()', () => tensor.data());
        for (const op of ['copy', 'silu'] as const)
          if (backend.supports(op, { dtype }))
            expectCode('DISPOSED', op, () => calls(backend, op, { x: tensor }, undefined));
      },
    ),
    check('two backends side by side do not meet', async ({ backend, create }) => {
      const other = await create();
      const [mine, theirs] = [backend.tensor([1, 2], [2]), other.tensor([3, 4], [2])];
      ensure(other.memory().tensors === 1, `the new backend counts ${other.memory().tensors} tensors of 1`);
      ensure((await theirs.data())[0] === 3, 'the new backend lost its tensor');
      await other.dispose();
      ensure(!mine.disposed && (await mine.data())[1] === 2, 'disposing one backend touched the other');
      mine.dispose();
    }),
    check(
      'a tensor of another backend is refused',
      async ({ backend, create, dtype }) => {
        const other = await create();
        const theirs = other.zeros([2], dtype);
        expectCode('INVALID_ARGUMENT', 'copy of a tensor of another backend', () =>
          backend.ops.copy({ x: theirs }),
        );
        await other.dispose();
      },
      [{ op: 'copy' }],
    ),
    ...[...samples().values()].map((c) =>
      check(
        `${c.op}: each disposed input is refused`,
        async ({ backend, dtype }) => {
          const paths = leaves({ inputs: c.inputs, grads: c.grads }).map(([path]) => path);
          for (const bad of paths) {
            const made: Tensor[] = [];
            const place = (prefix: string) => (tensor: HostTensor, path: string) => {
              const uploaded = upload(backend, tensor, dtype);
              made.push(uploaded);
              if (`${prefix}.${path}` === bad) uploaded.dispose();
              return uploaded;
            };
            const inputs = mapTree(c.inputs, place('inputs')) as object;
            const grads = c.grads && (mapTree(c.grads, place('grads')) as object);
            expectCode('DISPOSED', `${c.op} with ${bad} disposed`, () => calls(backend, c.op, inputs, grads));
            for (const tensor of made) tensor.dispose();
          }
        },
        [{ op: c.op }],
      ),
    ),
  ];
}
