/**
 * Every failure that a caller may want to tell apart has one of these codes.
 *
 * - `SHAPE`: a tensor's shape does not fit the operation.
 * - `DTYPE`: a tensor's element type does not fit the operation.
 * - `UNSUPPORTED_OP`: this backend lacks the operation, or this form of it.
 * - `UNSUPPORTED_DEVICE`: the machine lacks what the backend needs.
 * - `OUT_OF_MEMORY`: `details` has the bytes asked for and the limit.
 * - `DEVICE_LOST`: the device (or a worker) went away; save states elsewhere before, recreate the backend.
 * - `CHECKPOINT_FORMAT`: a file of weights or a saved state is malformed.
 * - `IO`: a file, URL or folder could not be read or written (missing, refused, network); `details` has path and status.
 * - `UNSUPPORTED_MODEL`: a well-formed checkpoint of a model that this library does not run.
 * - `DIVERGED`: training reached a loss or gradient that is not finite; `details` has the step and the last checkpoint.
 * - `ABORTED`: an AbortSignal fired; `cause` is its reason.
 * - `DISPOSED`: a tensor, state or backend was used after `dispose`.
 * - `INVALID_ARGUMENT`: an option outside its range (a negative temperature, an unknown backend name, ...).
 */
export type ErrorCode =
  | 'SHAPE'
  | 'DTYPE'
  | 'UNSUPPORTED_OP'
  | 'UNSUPPORTED_DEVICE'
  | 'OUT_OF_MEMORY'
  | 'DEVICE_LOST'
  | 'CHECKPOINT_FORMAT'
  | 'IO'
  | 'UNSUPPORTED_MODEL'
  | 'DIVERGED'
  | 'ABORTED'
  | 'DISPOSED'
  | 'INVALID_ARGUMENT';

/** The one error type of mamba-ts. The message says what was wrong, where, and what to do. */
export class MambaError extends Error {
  readonly code: ErrorCode;
  /** Figures that a program may want: bytes asked, limit, path, offset... */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; details?: Record<string, unknown> } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'MambaError';
    this.code = code;
    this.details = options.details ?? {};
  }
}

/** Throws `ABORTED`, with the signal's reason as its cause, if the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted) {
    throw new MambaError('ABORTED', `${what} was aborted`, { cause: signal.reason });
  }
}
