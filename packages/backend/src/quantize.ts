/** Elements of a row that share one scale. 64: the scales then add 1/16 to the bytes, as much as those of q8_0, which are halves. */
export const INT8_BLOCK = 64;

/** An int8 matrix: `values` [rows, columns] and one f32 scale a block of a row, [rows, ceil(columns / INT8_BLOCK)]. */
export interface Int8Matrix {
  readonly values: Int8Array;
  readonly scales: Float32Array;
}

/** Quantises by blocks along the last axis: scale = max|x| / 127, value = round(x / scale). Error at most scale / 2. */
export function quantizeInt8(data: ArrayLike<number>, rows: number, columns: number): Int8Matrix {
  const blocks = Math.ceil(columns / INT8_BLOCK);
  const values = new Int8Array(rows * columns);
  const scales = new Float32Array(rows * blocks);
  for (let row = 0; row < rows; row++) {
    for (let block = 0; block < blocks; block++) {
      const start = row * columns + block * INT8_BLOCK;
      const end = Math.min(start + INT8_BLOCK, (row + 1) * columns);
      let max = 0;
      for (let i = start; i < end; i++) max = Math.max(max, Math.abs(data[i]));
      const scale = Math.fround(max / 127);
      scales[row * blocks + block] = scale;
      if (!(scale > 0)) continue;
      for (let i = start; i < end; i++) {
        // A scale among the f32 subnormals has few bits: x / scale may pass 127 there, and an Int8Array would wrap around.
        values[i] = Math.max(-127, Math.min(127, Math.round(data[i] / scale)));
      }
    }
  }
  return { values, scales };
}

/** The f32 matrix that an int8 one stands for. */
export function dequantizeInt8({ values, scales }: Int8Matrix, rows: number, columns: number): Float32Array {
  const blocks = Math.ceil(columns / INT8_BLOCK);
  const out = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < columns; i++) {
      const scale = scales[row * blocks + Math.floor(i / INT8_BLOCK)];
      out[row * columns + i] = values[row * columns + i] * scale;
    }
  }
  return out;
}
