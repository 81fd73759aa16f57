/* Softmax cross-entropy, a row at a time: maximum, sum of exponentials, and the loss or the gradient. */
import { int, num, ptr } from './args';
import { exp4, loadPart, min, storePart, sum, zeroWords } from './simd';

/**
 * Largest element of a row, NaN if it has one. (f32x4.max minds NaN, which takes a processor many instructions, one after
 * another; pmax is one, and a NaN is looked for beside it.)
 */
export function maximum(x: usize, n: i32): f32 {
  let a = f32x4.splat(-Infinity), b = a, strange = i32x4.splat(0);
  let i = 0;
  for (; i + 8 <= n; i += 8) {
    const v = v128.load(x + (<usize>i << 2)), w = v128.load(x + (<usize>i << 2), 16);
    a = f32x4.pmax(a, v);
    b = f32x4.pmax(b, w);
    strange = v128.or(strange, v128.or(f32x4.ne(v, v), f32x4.ne(w, w)));
  }
  a = f32x4.max(a, b);
  let top: f32 = max<f32>(
    max<f32>(f32x4.extract_lane(a, 0), f32x4.extract_lane(a, 1)),
    max<f32>(f32x4.extract_lane(a, 2), f32x4.extract_lane(a, 3)),
  );
  for (; i < n; i++) top = max<f32>(top, load<f32>(x + (<usize>i << 2)));
  return v128.any_true(strange) ? NaN : top;
}

/** Sum of e^(x - top). */
function sumOfExp(x: usize, n: i32, top: f32): f32 {
  const shift = f32x4.splat(top);
  let acc = f32x4.splat(0);
  let i = 0;
  for (; i + 4 <= n; i += 4) acc = f32x4.add(acc, exp4(f32x4.sub(v128.load(x + (<usize>i << 2)), shift)));
  let total = sum(acc);
  for (; i < n; i++) {
    total += f32x4.extract_lane(exp4(f32x4.splat(load<f32>(x + (<usize>i << 2)) - top)), 0);
  }
  return total;
}

/** Loss of each row, f64, 0 where the target is ignored. 0 logits, 1 targets, 2 losses, 3 rows, 4 V, 5 ignored target. A piece: 16 rows. */
export function crossEntropy(piece: i32, scratch: usize): void {
  const n = int(4);
  for (let row = piece << 4, stop = min(int(3), row + 16); row < stop; row++) {
    const x = ptr(0) + (<usize>row * n << 2);
    const target = load<i32>(ptr(1) + (<usize>row << 2));
    let loss: f64 = 0;
    if (target != int(5)) {
      const top = maximum(x, n);
      loss = Math.log(<f64>sumOfExp(x, n, top)) + (<f64>top - <f64>load<f32>(x + (<usize>target << 2)));
    }
    store<f64>(ptr(2) + (<usize>row << 3), loss);
  }
}

/** 0 logits, 1 targets, 2 dlogits, 3 rows, 4 V, 5 ignored target; dloss / rows that count. A piece: 16 rows. */
export function crossEntropyBackward(piece: i32, scratch: usize): void {
  const n = int(4);
  const scale = num(0);
  for (let row = piece << 4, stop = min(int(3), row + 16); row < stop; row++) {
    const x = ptr(0) + (<usize>row * n << 2);
    const dx = ptr(2) + (<usize>row * n << 2);
    const target = load<i32>(ptr(1) + (<usize>row << 2));
    if (target == int(5)) {
      zeroWords(dx, <usize>n << 2);
      continue;
    }
    const top = maximum(x, n);
    const shift = f32x4.splat(top);
    const each = f32x4.splat(scale / sumOfExp(x, n, top));
    for (let i = 0; i < n; i += 4) {
      const at = <usize>i << 2;
      storePart(dx + at, f32x4.mul(exp4(f32x4.sub(loadPart(x + at, n - i), shift)), each), n - i);
    }
    const at = dx + (<usize>target << 2);
    store<f32>(at, load<f32>(at) - scale);
  }
}
