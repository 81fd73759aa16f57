/* The arguments of the job that this thread works on: 32-bit words that the JavaScript wrote. */
import { FLOATS, INTS } from '../src/layout';

/** Where that job is. Each thread has an instance of this module, and so a variable of its own. */
let job: usize = 0;

export function setJob(at: usize): void {
  job = at;
}

/** An address. */
@inline export function ptr(index: i32): usize {
  return load<usize>(job + INTS + (index << 2));
}

@inline export function int(index: i32): i32 {
  return load<i32>(job + INTS + (index << 2));
}

@inline export function num(index: i32): f32 {
  return load<f32>(job + FLOATS + (index << 2));
}
