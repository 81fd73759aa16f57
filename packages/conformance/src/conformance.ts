import { afterAll, beforeAll, describe, test } from 'vitest';
import { type ConformanceOptions, type PlannedTest, plan } from './suite.js';

export interface ConformanceTestOptions extends ConformanceOptions {
  /** Why this backend cannot run here at all (no GPU, say): the suite is then one skipped test with this name. */
  readonly skip?: string | false | undefined;
  /** Milliseconds that one test may take. 60 000 unless said. */
  readonly timeout?: number | undefined;
}

/**
 * Registers the suite with vitest; call it at the top level of a test file.
 *
 * Every op, form and element type that `backend.supports` denies is skipped by name, never passed.
 */
export function conformance(options: ConformanceTestOptions): void {
  const { name, skip, timeout = 60_000 } = options;
  if (skip) {
    test.skip(`conformance of ${name}: ${skip}`, () => {});
    return;
  }
  describe(`conformance of ${name}`, async () => {
    const { tests, setup, teardown } = await plan(options);
    beforeAll(setup, timeout);
    afterAll(teardown, timeout);
    for (const group of new Set(tests.map((one) => one.group))) {
      describe(group, () => {
        for (const one of tests.filter((other) => other.group === group)) register(one, timeout);
      });
    }
  });
}

function register({ name, skip, run }: PlannedTest, timeout: number): void {
  if (skip !== undefined) {
    test.skip(name, () => {});
    return;
  }
  test(name, { timeout }, async (context) => {
    const reason = await run();
    if (reason !== undefined) context.skip(reason);
  });
}
