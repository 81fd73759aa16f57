/*
 * Fixed addresses in the linear memory, for the JavaScript and the kernels alike (AssemblyScript imports this very
 * file). What is written by one thread while others read it has a cache line (64 bytes) of its own.
 */

/*
 * What is published lies in one cache line: a core waits for each line that another one wrote last, as long as some hundreds of
 * instructions take.
 */
/**
 * u64: the pieces of the current job that nobody has taken: from the one in the low half to before the one in the high half. One
 * atomic operation takes the first or the last; when there is none, the halves only move further apart.
 */
export const CLAIM = 64;
/** u32: where the current job is. Whoever has taken a piece has this line too. */
export const JOB = 72;
/** i32: number of jobs published; workers sleep on it. */
export const EPOCH = 76;
/** i32: workers asleep, so that a job wakes nobody when all are awake. */
export const SLEEPERS = 80;
/** i32: pieces that workers have finished, of all jobs so far. */
export const DONE = 128;
/** u32: where the threads' scratch memory starts, and how far apart two threads' are. */
export const SCRATCH = 260;
export const SCRATCH_STRIDE = 264;
/** i32: how many threads there are. */
export const THREADS = 268;
/** i32: set once, to end the workers. */
export const QUIT = 320;

/** i32: what products of x with int8 are made of (assembly/panels.ts: initProducts). */
export const PRODUCTS = 324;
/** Words of 16 bits; those, and sums of two products of bytes for the lowest bits of x; sums of four products of bytes. */
export const WORDS = 0;
export const PAIRS = 1;
export const UNSIGNED_QUADS = 2;
export const SIGNED_QUADS = 3;

/** Constants of the polynomials, each four times in a row. */
export const CONSTANTS = 1024;
/** 256 bytes that stay zero. */
export const ZEROS = 2048;
/**
 * Jobs to run one after another. Of each the place of its kernel in the table of functions, its pieces and its mode, then, INTS
 * bytes on, whole numbers and addresses, FLOATS bytes on, numbers: 32-bit words. After the last one a mode that is not CHAINED.
 */
export const SEQUENCE = 2304;
export const SEQUENCE_JOBS = 32;
export const JOB_BYTES = 192;
export const PIECES = 4;
export const MODE = 8;
export const INTS = 16;
export const FLOATS = 144;
/** Modes: its pieces are for whoever takes them; for the thread that runs the sequence; each goes with that of the job before. */
export const SHARED = 0;
export const ALONE = 1;
export const CHAINED = 2;
/** AssemblyScript's own data are below. */
export const HEAP_BASE = 65536;

/** Every allocation starts on a cache line and has room to its end, so that kernels may touch whole vectors. */
export const LINE = 64;
