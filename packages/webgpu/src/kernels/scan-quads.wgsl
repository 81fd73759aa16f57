// use: scan
// Four lanes of a state, or of A, in scratch, where channels are neighbours.
@group(0) @binding(5) var<storage, read_write> scratch: array<f32>;

fn quadAt(at: u32, quad: u32) -> vec4f {
  let D = p.channels;
  let from_ = at + 4u * quad * D;
  return vec4f(scratch[from_], scratch[from_ + D], scratch[from_ + 2u * D], scratch[from_ + 3u * D]);
}

fn putQuad(at: u32, quad: u32, value: vec4f) {
  for (var j = 0u; j < 4u; j++) { scratch[at + (4u * quad + j) * p.channels] = value[j]; }
}
