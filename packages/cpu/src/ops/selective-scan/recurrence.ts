import { complexRecurrence } from './recurrence-complex.js';
import { realRecurrence } from './recurrence-real.js';
import type { Scan } from './scan.js';

/** One token of one channel: what the recurrence needs of it, and in the backward pass what comes out. */
export interface Token {
  channel: number;
  u: number;
  /** Δ */
  step: number;
  /** The state before counts as zero. */
  reset: boolean;
  /** Where its numbers start in B and in C. */
  bAt: number;
  cAt: number;
  /** Backward: gradient of C h + D u. */
  dy: number;
  /** Backward: gradients by way of the state. */
  du: number;
  dstep: number;
}

export function newToken(): Token {
  return { channel: 0, u: 0, step: 0, reset: false, bAt: 0, cAt: 0, dy: 0, du: 0, dstep: 0 };
}

/** Sums of gradients, in the layout of what they are the gradients of. */
export interface GradientParts {
  readonly re: Float64Array;
  /** Absent if that part is not stored. */
  readonly im: Float64Array | undefined;
}

export interface RecurrenceGradients {
  readonly dA: GradientParts;
  readonly dB: GradientParts;
  readonly dC: GradientParts;
}

/** The N states of one channel, in a real and in a complex form. A state is `width` numbers at some place of an array. */
export interface Recurrence {
  /** N; 2 N if complex: real parts, then imaginary ones. */
  readonly width: number;

  /** h_t = e^{Δ A} h_{t-1} + Δ B u, and e^{Δ A} into `decays`. `from` and `to` may be the same place. */
  update(
    token: Token,
    from: Float64Array,
    fromAt: number,
    to: Float64Array,
    toAt: number,
    decays: Float64Array,
    decaysAt: number,
  ): void;

  /** C h */
  output(token: Token, h: Float64Array, at: number): number;

  /**
   * Backward through `update` and `output`. `carry` is the gradient of h_t that comes from later tokens, and becomes that of
   * h_{t-1}. Sets `du` and `dstep` of the token, adds to the sums.
   */
  pullBack(
    token: Token,
    before: Float64Array,
    beforeAt: number,
    after: Float64Array,
    afterAt: number,
    decays: Float64Array,
    decaysAt: number,
    carry: Float64Array,
    sums: RecurrenceGradients,
  ): void;
}

export function recurrenceOf(scan: Scan): Recurrence {
  return scan.complex ? complexRecurrence(scan) : realRecurrence(scan);
}
