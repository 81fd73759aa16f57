import { evaluate, leaves, mapTree, needOf, type OpCase, type Outputs } from '../cases/case.js';
import type { Limits } from '../cases/family.js';
import { lengthOf, officialCases } from '../cases/official.js';
import { type HostTensor, hostF32 } from '../host.js';
import { judge, type NumericCheck, type NumericContext } from './check.js';

const group = 'official figures';

/**
 * What is right for the inputs once they are rounded to f32, which is no fault of the backend's: the official figures
 * where they are exact in f32 already (nearly all are), else (S4D's) what the oracle makes of the rounded ones.
 */
async function inF32({ oracle }: NumericContext, c: OpCase): Promise<Outputs> {
  const exact = ([, { data }]: [string, HostTensor]) => data.every((x) => Object.is(x, Math.fround(x)));
  if ((leaves(c.inputs) as [string, HostTensor][]).every(exact)) return c.expected!;
  const inputs = mapTree(c.inputs, (tensor) =>
    tensor.dtype === 'f64' ? hostF32(tensor.data, tensor.shape) : tensor,
  ) as OpCase['inputs'];
  return evaluate(oracle, { ...c, inputs }, 'f64');
}

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
      const want = context.dtype === 'f32' ? await inF32(context, c) : c.expected!;
      context.record(judge(context, { group, name: c.name }, c.op, got, want));
    },
  }));
}
