// use: index
// Rows of a table by id. The table may be cut: this part has rows `first` to `first + count`, other ids are left alone; the
// last part gives zeros for ids behind it.
// A thread is four channels of a token; `weights-*.wgsl` says how the table lies.
struct Params { tokens: u32, channels: u32, pitch: u32, first: u32, count: u32, last: u32 }
@group(0) @binding(2) var<storage, read> ids: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) n: vec3u, @builtin(local_invocation_index) i: u32) {
  let thread = workgroupNumber(w, n) * 64u + i;
  let quads = (p.channels + 3u) / 4u;
  let token = thread / quads;
  let quad = thread % quads;
  if (token >= p.tokens) { return; }
  let row = ids[token] - p.first; // an id below `first` wraps to a large number
  let outside = row >= p.count;
  if (outside && (p.last == 0u || ids[token] < p.first)) { return; }
  var value = vec4f();
  if (!outside) { value = weight4(row, p.pitch, quad, p.channels); }
  for (var j = 0u; j < 4u; j++) {
    if (4u * quad + j < p.channels) { y[token * p.channels + 4u * quad + j] = value[j]; }
  }
}
