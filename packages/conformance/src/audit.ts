import { type ConformanceOptions, explain, plan } from './suite.js';

/** The suite's verdict. */
export interface Report {
  readonly passed: readonly string[];
  readonly failed: readonly { readonly name: string; readonly message: string }[];
  /** With the reason. */
  readonly skipped: readonly { readonly name: string; readonly message: string }[];
}

export interface AuditOptions extends ConformanceOptions {
  /** Told of each test before it runs; a test that it answers `false` to is left out. */
  onTest?(name: string): boolean | undefined;
}

/** Runs the suite without vitest: in a page, in a script, or to see that a broken backend is caught. */
export async function audit(options: AuditOptions): Promise<Report> {
  const { tests, setup, teardown } = await plan(options);
  const passed: string[] = [];
  const failed: { name: string; message: string }[] = [];
  const skipped: { name: string; message: string }[] = [];
  await setup();
  for (const { group, name: test, skip, run } of tests) {
    const name = `${group} > ${test}`;
    if (options.onTest?.(name) === false) continue;
    try {
      const reason = skip ?? (await run());
      if (reason === undefined) passed.push(name);
      else skipped.push({ name, message: reason });
    } catch (error) {
      failed.push({ name, message: explain(error) });
    }
  }
  await teardown();
  return { passed, failed, skipped };
}
