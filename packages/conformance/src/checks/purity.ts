import type { Backend, Tensor } from '@mamba-ts/backend';
import { evaluate, IN_PLACE, leaves, mapTree, needOf, readAll, upload } from '../cases/case.js';
import { identical } from '../cases/compare.js';
import { FAMILIES } from '../cases/families.js';
import { samples } from '../cases/samples.js';
import { scanStepCase } from '../cases/scan.js';
import type { HostTensor } from '../host.js';
import { type ContractCheck, contract, ensure } from './check.js';

/** Same inputs, same bits: whatever the order in which threads and workgroups happen to finish. */
function determinism(): ContractCheck[] {
  const cases = FAMILIES.flatMap((family) => family.directed({ maxLength: 130 }));
  return [...samples().keys()].map((op) => {
    // The last sizes of a table are the largest: they are spread over most threads.
    const own = cases.filter((c) => c.op === op && !needOf(c).weight);
    const chosen = [...new Set([own[0], ...own.slice(-3)])];
    return contract('determinism', `${op}: run to run, bit for bit`, [{ op }], async ({ backend, dtype }) => {
      for (const c of chosen) {
        if (!backend.supports(op, { dtype, ...needOf(c) })) continue;
        const first = await evaluate(backend, c, dtype);
        for (let again = 0; again < 2; again++) {
          const difference = identical(first, await evaluate(backend, c, dtype));
          ensure(difference === undefined, `${op} (${c.name}) is not deterministic: ${difference}`);
        }
      }
    });
  });
}

/** Ops return new tensors and leave their inputs alone; those that work in place say so. */
function purity(): ContractCheck[] {
  return [...samples().values()].map((c) =>
    contract(
      'purity',
      `${c.op} leaves its inputs alone, and its results do not need them`,
      [{ op: c.op }],
      async ({ backend, dtype }) => {
        const results = await evaluate(backend, c, dtype, { keepInputs: true });
        for (const [path, given] of leaves({ inputs: c.inputs, grads: c.grads }) as [string, HostTensor][]) {
          const inPlace = (IN_PLACE[c.op] ?? []).includes(path.split('.')[1]);
          const [now, before] = [results.get(path)!, new Map([[path, given]])];
          if (!inPlace)
            ensure(
              identical(new Map([[path, now]]), before) === undefined,
              `${c.op} changed its input ${path}: only ${Object.keys(IN_PLACE).join(', ')} may`,
            );
        }
        if (IN_PLACE[c.op]) return;
        const alone = await evaluate(backend, c, dtype, { disposeInputsFirst: true });
        for (const [path, tensor] of alone) {
          const difference = identical(new Map([[path, tensor]]), new Map([[path, results.get(path)!]]));
          ensure(
            difference === undefined,
            `${c.op}: with its inputs disposed right after the call, ${path || 'the result'} changes: ${difference}`,
          );
        }
      },
    ),
  );
}

/** A state is a value: a copy goes on by itself. */
const fork = contract(
  'purity',
  'copy: a forked state goes on by itself',
  [{ op: 'copy' }, { op: 'selectiveScanStep' }],
  async ({ backend, dtype }) => {
    const c = scanStepCase('fork', { channels: 17, states: 8, softplus: true, seed: 3 });
    const { state: start, ...rest } = c.inputs;
    const made: Tensor[] = [];
    const keep = (tensor: Tensor) => {
      made.push(tensor);
      return tensor;
    };
    const inputs = mapTree(rest, (tensor) => keep(upload(backend, tensor, dtype))) as object;
    const state = keep(upload(backend, start as HostTensor, dtype));
    const step = (of: Tensor) =>
      keep(
        backend.ops.selectiveScanStep({ ...inputs, state: of } as Parameters<
          Backend['ops']['selectiveScanStep']
        >[0]),
      );
    try {
      step(state);
      const other = keep(backend.ops.copy({ x: state }));
      const before = await readAll([['state', other]]);
      step(state);
      const forked = await readAll([['state', other]]);
      ensure(identical(before, forked) === undefined, 'a step of the original changed its copy');
      const original = await readAll([['state', state]]);
      step(other);
      const caughtUp = await readAll([['state', other]]);
      const difference = identical(original, caughtUp);
      ensure(difference === undefined, `the copy took the same step to another state: ${difference}`);
      ensure(identical(before, original) !== undefined, 'the step changed nothing: it must work in place');
    } finally {
      for (const tensor of made) tensor.dispose();
    }
  },
);

/** rmsNorm and layerNorm give their input back, not a copy, when nothing is added to it. */
function residuals(): ContractCheck[] {
  return (['rmsNorm', 'layerNorm'] as const).map((op) =>
    contract('purity', `${op} without residual returns x itself`, [{ op }], async ({ backend, dtype }) => {
      backend.scope(() => {
        const x = backend.tensor([1, 2, 3], [1, 3], dtype);
        const weight = backend.tensor([1, 1, 1], [3], dtype);
        ensure(backend.ops[op]({ x, weight, eps: 1e-5 }).residual === x, `${op}: residual should be x`);
      });
    }),
  );
}

export function purityChecks(): ContractCheck[] {
  return [...purity(), ...residuals(), fork, ...determinism()];
}
