import { MambaError } from '@mamba-ts/backend';
import type { DeviceErrors } from './errors.js';

/** A GPU buffer on loan from the pool. Several tensors may share one (the pieces of a split). */
export interface Loan {
  readonly id: number;
  readonly gpu: GPUBuffer;
  /** What the buffer holds, at least what was asked for. */
  readonly bytes: number;
  /** Tensors that hold it. */
  holders: number;
  /** Captures that use it. It goes back when nobody holds and nobody pins it. */
  pins: number;
  /** The submission that last used it: see `Engine`. */
  usedIn: number;
  /** Set when the device had no memory for it. */
  failed: MambaError | undefined;
}

// STORAGE | UNIFORM | COPY_SRC | COPY_DST: Node has no global GPUBufferUsage.
const USAGE = 0x80 | 0x40 | 0x04 | 0x08;

/** Sizes in steps of an eighth of an octave, so that at most 1/8 is wasted and lengths that vary a little share buffers. */
export function sizeClass(bytes: number): number {
  if (bytes <= 256) return 256;
  const step = Math.max(256, 2 ** (Math.floor(Math.log2(bytes)) - 3));
  return Math.ceil(bytes / step) * step;
}

/**
 * Buffers that are used again. Commands run in order, so a buffer may be lent anew as soon as its last user was
 * *encoded*, long before it ran.
 */
export class Pool {
  readonly #free = new Map<number, Loan[]>();
  #freeBytes = 0;
  #lentBytes = 0;
  #nextId = 0;
  /** Buffers made so far. */
  made = 0;
  /** The call that is being served: what errors name. */
  caller = 'tensor';

  readonly #device: GPUDevice;
  readonly #errors: DeviceErrors;
  /** Largest buffer that can be made and bound at once. */
  readonly maxBytes: number;
  /** Called before a buffer is destroyed: pending commands may still name it. */
  readonly #forget: (loan: Loan) => void;

  constructor(device: GPUDevice, errors: DeviceErrors, maxBytes: number, forget: (loan: Loan) => void) {
    this.#device = device;
    this.#errors = errors;
    this.maxBytes = maxBytes;
    this.#forget = forget;
  }

  /** Contents are undefined. */
  lend(bytes: number): Loan {
    if (bytes > this.maxBytes) {
      throw new MambaError(
        'OUT_OF_MEMORY',
        `${this.caller} needs a buffer of ${bytes} bytes; this device binds at most ${this.maxBytes} at once. Use a smaller batch or shorter pieces`,
        { details: { bytes, limit: this.maxBytes } },
      );
    }
    const size = Math.min(sizeClass(bytes), Math.floor(this.maxBytes / 16) * 16);
    let loan = this.#free.get(size)?.pop();
    if (loan) {
      this.#freeBytes -= loan.bytes;
      loan.holders = 1;
    } else {
      loan = this.#make(size);
    }
    this.#lentBytes += loan.bytes;
    return loan;
  }

  release(loan: Loan): void {
    loan.holders--;
    this.#return(loan);
  }

  unpin(loan: Loan): void {
    loan.pins--;
    this.#return(loan);
  }

  #return(loan: Loan): void {
    if (loan.holders > 0 || loan.pins > 0) return;
    this.#lentBytes -= loan.bytes;
    if (loan.failed) {
      this.#destroy(loan);
      return;
    }
    const list = this.#free.get(loan.bytes);
    if (list) list.push(loan);
    else this.#free.set(loan.bytes, [loan]);
    this.#freeBytes += loan.bytes;
    // A training step frees as much as it uses, so as much is kept; beyond that the memory is somebody else's.
    if (this.#freeBytes > Math.max(this.#lentBytes, 2 ** 28)) this.trim();
  }

  /** Destroys what nobody holds. */
  trim(): void {
    for (const list of this.#free.values()) for (const loan of list) this.#destroy(loan);
    this.#free.clear();
    this.#freeBytes = 0;
  }

  #make(size: number): Loan {
    const { caller } = this;
    this.#device.pushErrorScope('out-of-memory');
    const gpu = this.#device.createBuffer({ label: caller, size, usage: USAGE });
    const loan: Loan = {
      id: this.#nextId++,
      gpu,
      bytes: size,
      holders: 1,
      pins: 0,
      usedIn: -1,
      failed: undefined,
    };
    this.made++;
    void this.#errors.watch(this.#device.popErrorScope(), ({ message }) => {
      loan.failed = new MambaError(
        'OUT_OF_MEMORY',
        `${caller}: the device has no memory for ${size} more bytes (${this.#lentBytes} are in use): ${message}. Dispose tensors, or use a smaller batch. What was computed since the last read is lost`,
        { details: { bytes: size, inUse: this.#lentBytes, limit: this.maxBytes } },
      );
      return loan.failed;
    });
    return loan;
  }

  #destroy(loan: Loan): void {
    this.#forget(loan);
    loan.gpu.destroy();
  }
}
