import { MambaError } from '@mamba-ts/backend';
import { HEAP_BASE, LINE } from './layout.js';

const PAGE = 65536;
/** Memory grows by whole megabytes. */
const STEP = 1 << 20;
/** Kernels may read whole lines that hang over the end of the last block. */
const MARGIN = 4096;
/** Addresses are 32 bits wide, and the end of the memory must be one too. */
export const MAX_BYTES = 65535 * PAGE;

/** A block that stays reserved after it was freed, until `unpin`. */
export interface Pin {
  readonly address: number;
  readonly size: number;
  isFree: boolean;
}

/**
 * Hands out the linear memory. A freed block waits in a list of its exact size, so that a loop which asks for the same
 * shapes again and again (decoding, training) gets the same blocks again and memory stays flat; when no list has the
 * size, waiting blocks are merged with their neighbours and the tightest that fits is cut. Only then the memory grows.
 */
export class Heap {
  readonly #grow: (bytes: number) => void;
  readonly #limit: number;
  readonly #waiting = new Map<number, number[]>();
  /** Merged blocks by address: starts and sizes. */
  #starts: number[] = [];
  #sizes: number[] = [];
  readonly #pins = new Map<number, Pin>();
  #pinning: Pin[] | undefined;
  #top = HEAP_BASE;
  #capacity: number;

  /** `grow(bytes)` makes the memory this long, or throws. */
  constructor(initial: number, limit: number, grow: (bytes: number) => void) {
    this.#capacity = initial;
    this.#limit = Math.min(limit, MAX_BYTES);
    this.#grow = grow;
  }

  /** The address of `bytes` bytes, on a cache line, with room to the end of the last line. Not cleared. */
  allocate(bytes: number): number {
    const size = roundUp(bytes);
    const address = this.#find(size);
    if (this.#pinning) {
      const pin = { address, size, isFree: false };
      this.#pinning.push(pin);
      this.#pins.set(address, pin);
    }
    return address;
  }

  #find(size: number): number {
    return (
      this.#waiting.get(size)?.pop() ??
      this.#cut(size) ??
      (this.#merge() ? this.#cut(size) : undefined) ??
      this.#extend(size)
    );
  }

  /** Takes back what `allocate(bytes)` gave. */
  free(address: number, bytes: number): void {
    const pin = this.#pins.get(address);
    if (pin) {
      pin.isFree = true;
      return;
    }
    this.#giveBack(address, roundUp(bytes));
  }

  /** Runs `use` and pins what is allocated in it, so that nothing else gets it, freed or not. Into `pins`, also if it throws. */
  pinning<T>(pins: Pin[], use: () => T): T {
    this.#pinning = pins;
    try {
      return use();
    } finally {
      this.#pinning = undefined;
    }
  }

  unpin(pins: readonly Pin[]): void {
    for (const { address, size, isFree } of pins) {
      this.#pins.delete(address);
      if (isFree) this.#giveBack(address, size);
    }
  }

  #giveBack(address: number, size: number): void {
    const list = this.#waiting.get(size);
    if (list) list.push(address);
    else this.#waiting.set(size, [address]);
  }

  #cut(size: number): number | undefined {
    let best = -1;
    for (let i = 0; i < this.#sizes.length; i++) {
      if (this.#sizes[i] >= size && (best < 0 || this.#sizes[i] < this.#sizes[best])) best = i;
    }
    if (best < 0) return undefined;
    const address = this.#starts[best];
    if (this.#sizes[best] === size) {
      this.#starts.splice(best, 1);
      this.#sizes.splice(best, 1);
    } else {
      this.#starts[best] += size;
      this.#sizes[best] -= size;
    }
    return address;
  }

  /** Moves what waits into the merged blocks. Returns whether there was any. */
  #merge(): boolean {
    const blocks = this.#starts
      .map((start, i) => [start, this.#sizes[i]] as const)
      .concat([...this.#waiting].flatMap(([size, list]) => list.map((start) => [start, size] as const)));
    if (blocks.length === this.#starts.length) return false;
    this.#waiting.clear();
    blocks.sort((a, b) => a[0] - b[0]);
    this.#starts = [];
    this.#sizes = [];
    for (const [start, size] of blocks) {
      const last = this.#starts.length - 1;
      if (last >= 0 && this.#starts[last] + this.#sizes[last] === start) this.#sizes[last] += size;
      else {
        this.#starts.push(start);
        this.#sizes.push(size);
      }
    }
    const last = this.#starts.length - 1;
    if (this.#starts[last] + this.#sizes[last] === this.#top) {
      this.#top = this.#starts.pop() as number;
      this.#sizes.pop();
    }
    return true;
  }

  #extend(size: number): number {
    const address = this.#top;
    const end = address + size + MARGIN;
    if (end > this.#capacity) {
      const capacity = Math.ceil(end / STEP) * STEP;
      try {
        if (end > this.#limit) throw new RangeError('over the limit');
        this.#grow(Math.min(capacity, this.#limit));
      } catch (cause) {
        throw new MambaError(
          'OUT_OF_MEMORY',
          `wasm: ${size} bytes were asked for with ${address} of ${this.#limit} in use. Dispose tensors that are no longer needed (backend.scope does it), use f16 or int8 weights, shorter chunks, or raise memoryLimit`,
          { cause, details: { bytes: size, limit: this.#limit, used: address } },
        );
      }
      this.#capacity = Math.min(capacity, this.#limit);
    }
    this.#top = address + size;
    return address;
  }
}

function roundUp(bytes: number): number {
  return Math.max(LINE, Math.ceil(bytes / LINE) * LINE);
}
