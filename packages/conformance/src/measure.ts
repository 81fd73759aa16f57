import type { Backend } from '@mamba-ts/backend';
import { isUnsupported } from './cases/case.js';
import { kindOf, type Measurement, Skipped } from './checks/check.js';
import { explain, floatTypes, lack, numericChecks, numericContext, type SuiteOptions } from './suite.js';

/**
 * The numeric half of the suite, as figures: every error that it compares with a tolerance, whether over it or not.
 * The worst output of each call; an op that throws is an infinite error. What either backend lacks is left out.
 */
export async function measure(
  backend: Backend,
  oracle: Backend,
  options: SuiteOptions = {},
): Promise<Measurement[]> {
  const found: Measurement[] = [];
  const record = (measurements: readonly Measurement[]) => {
    const worst = measurements.reduce<Measurement | undefined>(
      (a, b) => (a === undefined || !(b.error <= a.error) ? b : a),
      undefined,
    );
    if (worst) found.push(worst);
  };
  for (const dtype of options.dtypes ?? floatTypes(backend)) {
    const context = numericContext(backend, oracle, dtype, options, record);
    for (const check of await numericChecks(options)) {
      if (check.only !== undefined && check.only !== dtype) continue;
      if (lack({ backend, oracle }, check, dtype)) continue;
      try {
        await check.run(context);
      } catch (error) {
        if (error instanceof Skipped || isUnsupported(error)) continue;
        const { group, name, needs } = check;
        const { op } = needs[0];
        const kind = kindOf(op);
        const infinite = { error: Number.POSITIVE_INFINITY, tolerance: 0, detail: explain(error) };
        found.push({ group, op, case: name, dtype, kind, ...infinite });
      }
    }
  }
  return found;
}
