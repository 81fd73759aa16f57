import type { Gpu } from '../gpu.js';

/** How a scan is cut along the sequence. */
export interface Chunks {
  /** Tokens a chunk; the last may be shorter. */
  readonly length: number;
  readonly count: number;
}

/** Threads that keep a large GPU busy while each waits for memory, and are so many that the last of them are soon done. */
const ENOUGH_THREADS = 2 ** 19;
/** Shorter chunks would spend more on their boundaries (a state for every N / 64 tokens) than they gain. */
const SHORTEST = 64;
/** From here on channels alone keep a device busy, and each chunk's first, state-only pass would be wasted. */
const ENOUGH_CHANNELS = 2 ** 16;

/**
 * One chunk where batch times channels fill the device or the sequence is short; else as many chunks as it takes threads, of
 * a multiple of 16 tokens.
 */
export function chunksOf(
  gpu: Gpu,
  { batch, length, channels }: { batch: number; length: number; channels: number },
): Chunks {
  const threads = batch * channels;
  let size = length;
  if (gpu.chunk !== undefined) size = gpu.chunk;
  else if (length > SHORTEST && threads < ENOUGH_CHANNELS) {
    const wanted = Math.ceil(ENOUGH_THREADS / threads);
    size = Math.max(SHORTEST, 16 * Math.ceil(length / wanted / 16));
  }
  return { length: size, count: Math.ceil(length / size) };
}
