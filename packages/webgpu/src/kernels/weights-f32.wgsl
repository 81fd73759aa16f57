// Eight and four neighbours of a row of a weight, f32. Rows start at multiples of 16 bytes; what lies behind the row's end
// counts as zero.
@group(0) @binding(0) var<storage, read> weight: array<vec4f>;

fn weight4(row: u32, pitch: u32, quad: u32, columns: u32) -> vec4f {
  if (quad * 4u >= columns) { return vec4f(); }
  return weight[row * (pitch / 4u) + quad];
}

fn weight8(row: u32, pitch: u32, unit: u32, columns: u32) -> mat2x4f {
  return mat2x4f(weight4(row, pitch, 2u * unit, columns), weight4(row, pitch, 2u * unit + 1u, columns));
}
