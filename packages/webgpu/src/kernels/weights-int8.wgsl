// Eight and four neighbours of a row of a weight, bytes with one f32 scale for each 64. Rows are padded with zeros to 16 bytes.
@group(0) @binding(0) var<storage, read> weight: array<vec2u>;
@group(0) @binding(1) var<storage, read> scales: array<f32>;

fn widen4(w: u32) -> vec4f {
  return vec4f(vec4i(vec4u(w << 24u, w << 16u, w << 8u, w)) >> vec4u(24u));
}

fn scale(row: u32, column: u32, columns: u32) -> f32 {
  return scales[row * ((columns + 63u) / 64u) + column / 64u];
}

fn weight4(row: u32, pitch: u32, quad: u32, columns: u32) -> vec4f {
  if (quad * 4u >= columns) { return vec4f(); }
  let w = weight[row * (pitch / 2u) + quad / 2u];
  return scale(row, 4u * quad, columns) * widen4(select(w.x, w.y, (quad & 1u) == 1u));
}

fn weight8(row: u32, pitch: u32, unit: u32, columns: u32) -> mat2x4f {
  let w = weight[row * (pitch / 2u) + unit];
  return scale(row, 8u * unit, columns) * mat2x4f(widen4(w.x), widen4(w.y));
}
