// Eight and four neighbours of a row of an f32 weight whose rows do not start at multiples of 16 bytes. Behind the row: zeros.
@group(0) @binding(0) var<storage, read> weight: array<f32>;

fn weight1(row: u32, pitch: u32, column: u32, columns: u32) -> f32 {
  if (column >= columns) { return 0.0; }
  return weight[row * pitch + column];
}

fn weight4(row: u32, pitch: u32, quad: u32, columns: u32) -> vec4f {
  let c = 4u * quad;
  return vec4f(
    weight1(row, pitch, c, columns), weight1(row, pitch, c + 1u, columns),
    weight1(row, pitch, c + 2u, columns), weight1(row, pitch, c + 3u, columns));
}

fn weight8(row: u32, pitch: u32, unit: u32, columns: u32) -> mat2x4f {
  return mat2x4f(weight4(row, pitch, 2u * unit, columns), weight4(row, pitch, 2u * unit + 1u, columns));
}
