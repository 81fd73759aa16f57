// use: index
// Copies rows of words between two layouts, and fills each row up to `width` with zeros: split, concat, padding.
// A thread is one word of the result.
struct Params { rows: u32, columns: u32, width: u32, fromOffset: u32, fromStride: u32, toOffset: u32, toStride: u32 }
@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@group(0) @binding(2) var<uniform> p: Params;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) n: vec3u, @builtin(local_invocation_index) i: u32) {
  let at = workgroupNumber(w, n) * 256u + i;
  let row = at / p.width;
  let column = at % p.width;
  if (row >= p.rows) { return; }
  var value = 0u;
  if (column < p.columns) { value = x[p.fromOffset + row * p.fromStride + column]; }
  y[p.toOffset + row * p.toStride + column] = value;
}
