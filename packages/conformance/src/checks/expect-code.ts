import { type ErrorCode, MambaError } from '@mamba-ts/backend';
import { ensure, fail } from './check.js';

/** Runs what must throw a `MambaError` of this code, with a message that names the op. */
export function expectCode(code: ErrorCode, what: string, run: () => unknown, names?: string): void {
  let result: unknown;
  try {
    result = run();
  } catch (error) {
    judge(code, what, error, names);
    return;
  }
  // An async failure would come too late for the caller; keep it from being unhandled as well.
  if (result instanceof Promise) result.catch(() => {});
  fail(`${what}: should throw ${code} at once, but returned`);
}

/** The same for a promise. */
export async function expectCodeAsync(
  code: ErrorCode,
  what: string,
  run: () => Promise<unknown>,
): Promise<void> {
  try {
    await run();
  } catch (error) {
    judge(code, what, error, undefined);
    return;
  }
  fail(`${what}: should be rejected with ${code}, but was not`);
}

function judge(code: ErrorCode, what: string, error: unknown, names: string | undefined): void {
  if (!(error instanceof MambaError)) {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    fail(`${what}: should throw a MambaError ${code}, threw ${text}`);
  }
  ensure(error.code === code, `${what}: should throw ${code}, threw ${error.code}: ${error.message}`);
  ensure(
    names === undefined || error.message.includes(names),
    `${what}: the message should name ${names}: "${error.message}"`,
  );
}
