// use: numerics index
// Gradient of y silu(z): dz, and the gradient of the ungated y. A thread is four neighbours.
struct Params { quads: u32 }
@group(0) @binding(0) var<storage, read> y: array<vec4f>;
@group(0) @binding(1) var<storage, read> z: array<vec4f>;
@group(0) @binding(2) var<storage, read> dy: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> dz: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> g: array<vec4f>;
@group(0) @binding(5) var<uniform> p: Params;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) n: vec3u, @builtin(local_invocation_index) i: u32) {
  let at = workgroupNumber(w, n) * 256u + i;
  if (at >= p.quads) { return; }
  dz[at] = dy[at] * y[at] * siluSlope(z[at]);
  g[at] = dy[at] * silu(z[at]);
}
