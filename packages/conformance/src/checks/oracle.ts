import fc from 'fast-check';
import { evaluate, isUnsupported, needOf, type OpCase } from '../cases/case.js';
import { extremeCases } from '../cases/extremes.js';
import { FAMILIES } from '../cases/families.js';
import type { Limits } from '../cases/family.js';
import { judge, type NumericCheck, type NumericContext, Skipped } from './check.js';

const group = 'against the oracle';

async function compare(context: NumericContext, c: OpCase): Promise<void> {
  const got = await evaluate(context.backend, c, context.dtype);
  const want = c.expected ?? (await evaluate(context.oracle, c, 'f64', { asOracle: true }));
  context.record(judge(context, { group, name: c.name }, c.op, got, want));
}

/** Every option and every awkward size by name, then random ones. */
export function oracleChecks(limits: Limits): NumericCheck[] {
  const named = [...FAMILIES.flatMap((family) => family.directed(limits)), ...extremeCases()];
  const directed = named.map(
    (c): NumericCheck => ({
      kind: 'numeric',
      group,
      name: `${c.op}: ${c.name}`,
      needs: [{ op: c.op, ...needOf(c) }],
      // Weights of few bits are widened to f32.
      ...(needOf(c).weight ? { only: 'f32' as const } : {}),
      run: (context) => compare(context, c),
    }),
  );
  const random = FAMILIES.flatMap((family) =>
    family.ops.map(
      (op): NumericCheck => ({
        kind: 'numeric',
        group,
        name: `${op}: random shapes and options`,
        needs: [{ op }],
        run: async (context) => {
          let ran = 0;
          const property = fc.asyncProperty(family.random(limits), async (cases) => {
            const c = cases.find((one) => one.op === op)!;
            try {
              await compare(context, c);
              ran++;
            } catch (error) {
              // A form that the backend refuses is skipped by name among the directed cases.
              if (!isUnsupported(error)) throw error;
            }
          });
          await fc.assert(property, { numRuns: context.runs, seed: 2312 });
          if (ran === 0) throw new Skipped(`${op}: every random form is unsupported`);
        },
      }),
    ),
  );
  return [...directed, ...random];
}
