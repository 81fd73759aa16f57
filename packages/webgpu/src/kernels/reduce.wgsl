// Sum over a workgroup, the same for every thread and in every run: a tree in workgroup memory.
const WG: u32 = 256u;
var<workgroup> tree: array<f32, WG>;

fn sumAll(value: f32, i: u32) -> f32 {
  workgroupBarrier();
  tree[i] = value;
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (i < half) { tree[i] += tree[i + half]; }
  }
  workgroupBarrier();
  return tree[0];
}

fn maxAll(value: f32, i: u32) -> f32 {
  workgroupBarrier();
  tree[i] = value;
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (i < half) { tree[i] = max(tree[i], tree[i + half]); }
  }
  workgroupBarrier();
  return tree[0];
}
