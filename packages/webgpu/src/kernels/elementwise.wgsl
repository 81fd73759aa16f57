// use: numerics index
// y = f(a, b) of two flat arrays. A thread is four neighbours; buffers are padded to 16 bytes, so the last needs no test.
const OP: u32 = 0u; // 0 a + b, 1 a b, 2 silu(a), 3 silu'(a) b, 4 scale exp(a)
struct Params { quads: u32, scale: f32 }
@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(1) var<storage, read> b: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(3) var<uniform> p: Params;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) n: vec3u, @builtin(local_invocation_index) i: u32) {
  let at = workgroupNumber(w, n) * 256u + i;
  if (at >= p.quads) { return; }
  let x = a[at];
  if (OP == 0u) { y[at] = x + b[at]; }
  if (OP == 1u) { y[at] = x * b[at]; }
  if (OP == 2u) { y[at] = silu(x); }
  if (OP == 3u) { y[at] = siluSlope(x) * b[at]; }
  if (OP == 4u) { y[at] = p.scale * exp(x); }
}
