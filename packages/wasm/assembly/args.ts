/* The arguments of the current job: 32-bit words that the JavaScript wrote. */
import { FLOATS, PARAMS } from '../src/layout';

/** An address. */
@inline export function ptr(index: i32): usize {
  return load<usize>(PARAMS + (index << 2));
}

@inline export function int(index: i32): i32 {
  return load<i32>(PARAMS + (index << 2));
}

@inline export function num(index: i32): f32 {
  return load<f32>(PARAMS + FLOATS + (index << 2));
}
