// As sum-tree.wgsl, with subgroups of whatever size: each adds up by itself, workgroup memory has their sums.
enable subgroups;
struct Lane { index: u32, subgroup: u32, subgroups: u32 }
var<workgroup> partial: array<vec4f, WG>;

fn total(value: vec4f, i: u32, lane: Lane) -> vec4f {
  let sum = subgroupAdd(value);
  workgroupBarrier();
  if (lane.index == 0u) { partial[lane.subgroup] = sum; }
  workgroupBarrier();
  var all = partial[0];
  for (var s = 1u; s < lane.subgroups; s++) { all += partial[s]; }
  return all;
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) n: vec3u, @builtin(local_invocation_index) i: u32,
  @builtin(subgroup_invocation_id) lane: u32, @builtin(subgroup_id) subgroup: u32, @builtin(num_subgroups) subgroups: u32,
) {
  work(w, n, i, Lane(lane, subgroup, subgroups));
}
