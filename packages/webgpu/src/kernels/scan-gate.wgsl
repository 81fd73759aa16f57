// use: numerics index
// Gradient of y silu(z): dz, and the gradient of the ungated y, of `count` elements from `offset` on. A thread is one.
struct Params { offset: u32, count: u32 }
@group(0) @binding(0) var<storage, read> y: array<f32>;
@group(0) @binding(1) var<storage, read> z: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dz: array<f32>;
@group(0) @binding(4) var<storage, read_write> g: array<f32>;
@group(0) @binding(5) var<uniform> p: Params;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) n: vec3u, @builtin(local_invocation_index) i: u32) {
  let index = workgroupNumber(w, n) * 256u + i;
  if (index >= p.count) { return; }
  let at = p.offset + index;
  let gate = vec4f(z[at]);
  dz[at] = dy[at] * y[at] * siluSlope(gate).x;
  g[at] = dy[at] * silu(gate).x;
}
