// Eight and four neighbours of a row of a weight, bfloat16 in pairs: the upper half of an f32. Rows are padded with zeros to 16 bytes.
@group(0) @binding(0) var<storage, read> weight: array<vec4u>;

fn widen4(w: vec2u) -> vec4f {
  return bitcast<vec4f>(vec4u(w.x << 16u, w.x & 0xffff0000u, w.y << 16u, w.y & 0xffff0000u));
}

fn weight4(row: u32, pitch: u32, quad: u32, columns: u32) -> vec4f {
  if (quad * 4u >= columns) { return vec4f(); }
  let w = weight[row * (pitch / 4u) + quad / 2u];
  return widen4(select(w.xy, w.zw, (quad & 1u) == 1u));
}

fn weight8(row: u32, pitch: u32, unit: u32, columns: u32) -> mat2x4f {
  let w = weight[row * (pitch / 4u) + unit];
  return mat2x4f(widen4(w.xy), widen4(w.zw));
}
