/*
 * Jobs and threads. A job is a kernel and a number of pieces; what a piece computes depends on its index alone, never
 * on who runs it, so results are the same bits whatever the number of threads.
 *
 * The main thread publishes a job, works on it too, then waits for the rest. A worker takes pieces until none is left,
 * looks for the next job for some microseconds (ops follow each other closely while a model runs), then sleeps.
 */
import {
  ALONE, CHAINED, CLAIM, DONE, EPOCH, JOB, JOB_BYTES, MODE, PIECES, QUIT, SCRATCH, SCRATCH_STRIDE, SLEEPERS, THREADS,
} from '../src/layout';
import { setJob } from './args';
import { min } from './simd';

/** Looks at the epoch before a worker goes to sleep: some 0.2 ms. A thread that sleeps is 20 to 50 microseconds late for the next job. */
const LOOKS: i32 = 200000;
/** Looks at the finished pieces before the main thread gives `join` back to its caller. */
const JOIN_LOOKS: i32 = 200000;

@inline function scratchOf(thread: i32): usize {
  return load<usize>(SCRATCH) + <usize>thread * load<usize>(SCRATCH_STRIDE);
}

/**
 * A piece of the job at `at`, then the same piece of the jobs that are chained to it. Kernels are called through the table, so that
 * none of them is inlined here and each is optimised on its own.
 */
function runPiece(at: usize, piece: i32, scratch: usize): void {
  do {
    setJob(at);
    call_indirect<void>(load<i32>(at), piece, scratch);
    at += JOB_BYTES;
  } while (load<i32>(at, MODE) == CHAINED);
}

/** A worker's number, and the last job that it knows of. */
let self: i32 = 0;
let seen: i32 = 0;

/** What DONE will be when the current job is finished: for the main thread, which does not count its own pieces there. */
let awaited: i32 = 0;

/** How many pieces a thread takes of so many that are left: first some at once, then fewer and fewer. */
@inline function takes(left: i32): i32 {
  return max<i32>(1, left * 4 / (5 * load<i32>(THREADS)));
}

/**
 * Takes and runs pieces until the job has none left, and returns how many: threads of even numbers from the front, those of odd
 * numbers from the back, so that from job to job a thread mostly finds in its own cache what it left there. Taking costs some
 * 0.3 microseconds and interrupts a stream of weights, but one core may be half as fast as the other for a while.
 * Where the job and the scratch memory are is read after the claim: a claim that succeeds holds its job open, so what is read then
 * belongs to it, even if this thread came late from an earlier job.
 */
function work(thread: i32): i32 {
  const fromBack = (thread & 1) != 0;
  let total = 0;
  while (true) {
    let claim = atomic.load<u64>(CLAIM);
    const left = <i32>(claim >> 32) - <i32>claim;
    if (left <= 0) return total;
    const wanted = takes(left);
    claim = fromBack ? atomic.sub<u64>(CLAIM, <u64>wanted << 32) : atomic.add<u64>(CLAIM, <u64>wanted);
    const front = <i32>claim, back = <i32>(claim >> 32);
    if (front >= back) return total;
    const count = min(wanted, back - front);
    runPieces(atomic.load<usize>(JOB), thread, fromBack ? back - count : front, count);
    total += count;
  }
}

function runPieces(at: usize, thread: i32, first: i32, count: i32): void {
  const scratch = scratchOf(thread);
  for (let i = 0; i < count; i++) {
    runPiece(at, first + i, scratch);
    if (thread > 0) atomic.add<i32>(DONE, 1);
  }
}

/** Publishes a job, of which it has already taken the first pieces, and works on it until no piece is left to take. */
function share(at: usize, pieces: i32): void {
  const own = min(pieces, takes(pieces));
  atomic.store<usize>(JOB, at);
  atomic.store<u64>(CLAIM, <u64>pieces << 32 | <u64>own);
  atomic.add<i32>(EPOCH, 1);
  if (atomic.load<i32>(SLEEPERS) > 0) atomic.notify(EPOCH, pieces - 1);
  runPieces(at, 0, 0, own);
  awaited += pieces - own - work(0);
}

/**
 * Runs jobs `first` to `count` of those at `base` (layout.ts: SEQUENCE), one after another. Returns `count`, or the job whose pieces
 * workers still hold after a while: `join` it, then go on with the next.
 */
export function runSequence(base: usize, first: i32, count: i32): i32 {
  for (let job = first; job < count; job++) {
    const at = base + <usize>job * JOB_BYTES;
    const mode = load<i32>(at, MODE);
    const pieces = load<i32>(at, PIECES);
    if (mode == ALONE) {
      const scratch = scratchOf(0);
      for (let piece = 0; piece < pieces; piece++) runPiece(at, piece, scratch);
    } else if (mode != CHAINED) {
      share(at, pieces);
      if (!look()) return job;
    }
  }
  return count;
}

/** Looks whether the workers have finished their pieces until they have, or for a while. */
function look(): bool {
  for (let i = 0; i < JOIN_LOOKS; i++) {
    if (atomic.load<i32>(DONE) == awaited) return true;
  }
  return false;
}

/**
 * Waits a little for the pieces that workers still hold; returns how many. Where this thread may sleep (not a page's main thread), it
 * does so, in short naps, after having looked for a while.
 */
export function join(maySleep: bool): i32 {
  if (look()) return 0;
  // Nobody notifies: the nap ends by its time, 0.1 ms.
  if (maySleep) atomic.wait<i32>(QUIT, 0, 100000);
  return awaited - atomic.load<i32>(DONE);
}

/**
 * A worker's life. Returns when QUIT is set.
 *
 * After a wait neither this function nor `join` needs a local from before: V8 of Node 20 loses those it has in registers, while its
 * code is not optimised, which that of a function that is called once never is.
 */
export function serve(thread: i32): void {
  self = thread;
  seen = 0;
  while (true) {
    let looks = 0;
    while (atomic.load<i32>(EPOCH) == seen && looks < LOOKS) looks++;
    if (looks == LOOKS) {
      atomic.add<i32>(SLEEPERS, 1);
      atomic.wait<i32>(EPOCH, seen, -1);
      atomic.sub<i32>(SLEEPERS, 1);
    }
    if (atomic.load<i32>(QUIT)) return;
    seen = atomic.load<i32>(EPOCH);
    work(self);
  }
}
