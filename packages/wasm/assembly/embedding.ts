/* Rows of a table, widened where they are narrow. The ids were checked. */
import { int, ptr } from './args';
import { unpackRow } from './panels';
import { copyWords, min } from './simd';
import { F32, widen, widenScales } from './widen';

/** 0 ids, 1 weight, 2 scales, 3 kind, 4 y, 5 ids' number, 6 D, 7 whether the weight is in panels. A piece: 16 ids. Scratch: D floats. */
export function embedding(piece: i32, scratch: usize): void {
  const d = int(6);
  const bytes = <usize>d << 2;
  for (let i = piece << 4, stop = min(int(5), i + 16); i < stop; i++) {
    const id = load<i32>(ptr(0) + (<usize>i << 2));
    const to = ptr(4) + <usize>i * bytes;
    if (int(7)) {
      unpackRow(int(3), ptr(1), d, id, to);
    } else if (int(3) == F32) {
      copyWords(to, ptr(1) + <usize>id * bytes, bytes);
    } else {
      widen(int(3), ptr(1), <usize>id * d, widenScales(ptr(2), id, d, 0), d, scratch);
      copyWords(to, scratch, bytes);
    }
  }
}

/** dweight = 0, then += dy, row by row in the order of the ids. 0 ids, 1 dy, 2 dweight, 3 ids' number, 4 V, 5 D. A piece: 16 columns. */
export function embeddingBackward(piece: i32, scratch: usize): void {
  const d = int(5);
  const first = piece << 4;
  const stop = min(d, first + 16);
  const v = int(4);
  for (let row = 0; row < v; row++) {
    const to = ptr(2) + (<usize>row * d << 2);
    for (let c = first; c < stop; c++) store<f32>(to + (c << 2), 0);
  }
  for (let i = 0, n = int(3); i < n; i++) {
    const to = ptr(2) + (<usize>load<i32>(ptr(0) + (<usize>i << 2)) * d << 2);
    const from = ptr(1) + (<usize>i * d << 2);
    let c = first;
    for (; c + 4 <= stop; c += 4) {
      v128.store(to + (c << 2), f32x4.add(v128.load(to + (c << 2)), v128.load(from + (c << 2))));
    }
    for (; c < stop; c++) store<f32>(to + (c << 2), load<f32>(to + (c << 2)) + load<f32>(from + (c << 2)));
  }
}
