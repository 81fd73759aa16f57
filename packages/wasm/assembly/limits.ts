/* What the processor can do at most, for benchmarks to compare with. */
import { int, ptr } from './args';
import { madd } from './simd';

/**
 * Nothing but multiply-adds in registers, in twelve chains: more than the eight that hide four cycles of latency on two pipes.
 * 0 two vectors, factor and addend; 1 steps; 2 a vector for each piece
 */
export function peak(piece: i32, scratch: usize): void {
  const from = ptr(0);
  const a = v128.load(from), b = v128.load(from, 16);
  let c0 = b, c1 = b, c2 = b, c3 = b, c4 = b, c5 = b, c6 = b, c7 = b, c8 = b, c9 = b, c10 = b, c11 = b;
  for (let i = int(1); i > 0; i--) {
    c0 = madd(c0, a, b);
    c1 = madd(c1, a, b);
    c2 = madd(c2, a, b);
    c3 = madd(c3, a, b);
    c4 = madd(c4, a, b);
    c5 = madd(c5, a, b);
    c6 = madd(c6, a, b);
    c7 = madd(c7, a, b);
    c8 = madd(c8, a, b);
    c9 = madd(c9, a, b);
    c10 = madd(c10, a, b);
    c11 = madd(c11, a, b);
  }
  c0 = f32x4.add(f32x4.add(f32x4.add(c0, c1), f32x4.add(c2, c3)), f32x4.add(f32x4.add(c4, c5), f32x4.add(c6, c7)));
  v128.store(ptr(2) + (piece << 4), f32x4.add(f32x4.add(c0, f32x4.add(c8, c9)), f32x4.add(c10, c11)));
}

/** Reads memory, in order. 0 start, 1 bytes a piece (a multiple of 128), 2 a vector for each piece */
export function read(piece: i32, scratch: usize): void {
  let at = ptr(0) + <usize>piece * int(1);
  const end = at + int(1);
  let a = i32x4.splat(0), b = a, c = a, d = a;
  do {
    a = v128.or(a, v128.load(at));
    b = v128.or(b, v128.load(at, 16));
    c = v128.or(c, v128.load(at, 32));
    d = v128.or(d, v128.load(at, 48));
    a = v128.or(a, v128.load(at, 64));
    b = v128.or(b, v128.load(at, 80));
    c = v128.or(c, v128.load(at, 96));
    d = v128.or(d, v128.load(at, 112));
    at += 128;
  } while (at < end);
  v128.store(ptr(2) + (piece << 4), v128.or(v128.or(a, b), v128.or(c, d)));
}
