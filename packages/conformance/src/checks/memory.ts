import type { Backend, Tensor } from '@mamba-ts/backend';
import { leaves, mapTree, upload } from '../cases/case.js';
import { samples } from '../cases/samples.js';
import { type ContractCheck, type ContractContext, contract, ensure, fail } from './check.js';
import { expectCode } from './expect-code.js';

/** `memory()` and `scope`. (That nothing leaks is also checked around every other check of the suite.) */
export function memoryChecks(): ContractCheck[] {
  const check = (
    name: string,
    run: (context: ContractContext) => Promise<void>,
    needs: ContractCheck['needs'] = [],
  ) => contract('memory', name, needs, run);
  const grown = (
    backend: Backend,
    tensors: number,
    bytes: number,
    since: { tensors: number; bytes: number },
  ) => {
    const now = backend.memory();
    ensure(
      now.tensors - since.tensors === tensors,
      `${now.tensors - since.tensors} tensors live, should be ${tensors}`,
    );
    ensure(now.bytes - since.bytes >= bytes, `${now.bytes - since.bytes} bytes counted, ${bytes} are held`);
    if (tensors === 0)
      ensure(now.bytes === since.bytes, `${now.bytes - since.bytes} bytes are still counted`);
  };
  return [
    check('a tensor is counted until it is disposed, twice is once', async ({ backend }) => {
      const before = backend.memory();
      const a = backend.tensor(new Float32Array(100), [100]);
      const b = backend.zeros([50], 'i32');
      grown(backend, 2, 600, before);
      a.dispose();
      a.dispose();
      ensure(a.disposed && !b.disposed, 'disposed should say so');
      grown(backend, 1, 200, before);
      b.dispose();
      grown(backend, 0, 0, before);
    }),
    check('a scope frees what it made and did not return', async ({ backend }) => {
      const before = backend.memory();
      const made: Tensor[] = [];
      const make = () => {
        const tensor = backend.zeros([8]);
        made.push(tensor);
        return tensor;
      };
      const kept = backend.scope(() => {
        make();
        return { one: make(), more: [make(), { deep: make() }], map: new Map([['key', make()]]), n: 3 };
      });
      grown(backend, 4, 128, before);
      ensure(made[0].disposed, 'the tensor that was not returned should be disposed');
      ensure(!kept.one.disposed && !kept.map.get('key')!.disposed, 'what is returned lives on');
      for (const tensor of made) tensor.dispose();
      grown(backend, 0, 0, before);
    }),
    check('scopes nest: what the inner one returns belongs to the outer', async ({ backend }) => {
      const before = backend.memory();
      const outside = backend.zeros([2]);
      const result = backend.scope(() => {
        const inner = backend.scope(() => [backend.zeros([2]), backend.zeros([2])]);
        backend.zeros([2]);
        return inner[0];
      });
      grown(backend, 2, 16, before);
      ensure(!outside.disposed, 'a scope frees only what was made inside');
      outside.dispose();
      result.dispose();
      grown(backend, 0, 0, before);
    }),
    check('a scope that throws frees everything, and passes the error on', async ({ backend }) => {
      const before = backend.memory();
      const error = new Error('mine');
      try {
        backend.scope(() => {
          backend.zeros([2]);
          backend.scope(() => {
            backend.zeros([2]);
            throw error;
          });
        });
        fail('the scope swallowed the error');
      } catch (caught) {
        ensure(caught === error, `the scope threw ${caught}`);
      }
      grown(backend, 0, 0, before);
    }),
    check('a scope refuses a promise, and frees what was made', async ({ backend }) => {
      const before = backend.memory();
      expectCode('INVALID_ARGUMENT', 'scope', () => backend.scope(async () => backend.zeros([2])));
      grown(backend, 0, 0, before);
    }),
    check(
      'a thousand ops in scopes hold nothing',
      async ({ backend, dtype }) => {
        const x = backend.tensor(new Float32Array(64), [64], dtype);
        const before = backend.memory();
        for (let i = 0; i < 1000; i++) backend.scope(() => void backend.ops.copy({ x }));
        grown(backend, 0, 0, before);
        x.dispose();
      },
      [{ op: 'copy' }],
    ),
    ...[...samples().values()].map((c) =>
      check(
        `${c.op}: each result is counted, and goes`,
        async ({ backend, dtype }) => {
          const before = backend.memory();
          const inputs = mapTree(c.inputs, (tensor) => upload(backend, tensor, dtype)) as object;
          const grads = c.grads && (mapTree(c.grads, (tensor) => upload(backend, tensor, dtype)) as object);
          const given = backend.memory().tensors;
          const call = backend.ops[c.op] as (...args: unknown[]) => unknown;
          const results = leaves(call.call(backend.ops, inputs, grads)) as [string, Tensor][];
          const fresh = new Set(results.map(([, tensor]) => tensor)).size;
          const live = backend.memory().tensors - given;
          ensure(
            live === fresh,
            `${c.op} returned ${fresh} tensors, but ${live} more live: intermediate ones must go`,
          );
          for (const [, tensor] of [...results, ...(leaves({ inputs, grads }) as [string, Tensor][])])
            tensor.dispose();
          grown(backend, 0, 0, before);
        },
        [{ op: c.op }],
      ),
    ),
  ];
}
