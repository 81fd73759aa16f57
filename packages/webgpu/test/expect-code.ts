import { type ErrorCode, MambaError } from '@mamba-ts/backend';
import { expect } from 'vitest';

/** The error that `run` throws; it must be a MambaError with this code. */
export function expectCode(code: ErrorCode, run: () => unknown): MambaError {
  let error: unknown;
  try {
    run();
  } catch (thrown) {
    error = thrown;
  }
  return check(code, error);
}

/** The same of a promise. */
export async function expectRejection(code: ErrorCode, promise: Promise<unknown>): Promise<MambaError> {
  return check(
    code,
    await promise.then(
      () => undefined,
      (error: unknown) => error,
    ),
  );
}

function check(code: ErrorCode, error: unknown): MambaError {
  expect(error, `expected an error ${code}`).toBeInstanceOf(MambaError);
  expect((error as MambaError).code).toBe(code);
  return error as MambaError;
}
