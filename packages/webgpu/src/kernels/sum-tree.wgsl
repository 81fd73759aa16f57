// For kernels whose workgroup adds up: the entry point, and the sum of all threads' values by a tree in workgroup memory.
struct Lane { index: u32, subgroup: u32, subgroups: u32 }
var<workgroup> partial: array<vec4f, WG>;

fn total(value: vec4f, i: u32, lane: Lane) -> vec4f {
  workgroupBarrier();
  partial[i] = value;
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (i < half) { partial[i] += partial[i + half]; }
  }
  workgroupBarrier();
  return partial[0];
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) n: vec3u, @builtin(local_invocation_index) i: u32) {
  work(w, n, i, Lane(0u, 0u, 1u));
}
