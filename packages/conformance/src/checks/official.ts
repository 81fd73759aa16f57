import { evaluate, needOf } from '../cases/case.js';
import type { Limits } from '../cases/family.js';
import { lengthOf, officialCases } from '../cases/official.js';
import { judge, type NumericCheck } from './check.js';

const group = 'official figures';

/** What the official code computed, in f64, from the same inputs. */
export async function officialChecks({ maxLength }: Limits): Promise<NumericCheck[]> {
  const cases = (await officialCases()).filter((c) => lengthOf(c) <= maxLength);
  return cases.map((c) => ({
    kind: 'numeric',
    group,
    name: `${c.op} ${c.name}`,
    needs: [{ op: c.op, ...needOf(c) }],
    run: async (context) => {
      const got = await evaluate(context.backend, c, context.dtype);
      context.record(judge(context, { group, name: c.name }, c.op, got, c.expected!));
    },
  }));
}
