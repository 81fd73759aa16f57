import { expect } from 'vitest';
import { type ErrorCode, MambaError } from '../src/index.js';

/** `run` throws a MambaError with this code and all these pieces in its message. */
export function expectRefusal(run: () => unknown, code: ErrorCode, ...pieces: string[]): void {
  let error: unknown;
  try {
    run();
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(MambaError);
  const { code: got, message } = error as MambaError;
  expect({ code: got, message }).toEqual({ code, message: expect.stringContaining(pieces[0] ?? '') });
  for (const piece of pieces) expect(message).toContain(piece);
}
