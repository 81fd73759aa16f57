// use: index reduce
// Sums of squares of stretches of an array -> sums[first + stretch]; or (ROOT) the root of the sum of those sums.
// A workgroup is a stretch.
const ROOT: bool = false;
struct Params { size: u32, stretch: u32, first: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
@group(0) @binding(2) var<uniform> p: Params;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) n: vec3u, @builtin(local_invocation_index) i: u32) {
  let group = workgroupNumber(w, n);
  let start = group * p.stretch;
  let end = min(start + p.stretch, p.size);
  var sum = 0.0;
  for (var at = start + i; at < end; at += WG) {
    if (ROOT) { sum += x[at]; } else { sum += x[at] * x[at]; }
  }
  sum = sumAll(sum, i);
  if (i > 0u || start >= p.size) { return; }
  if (ROOT) { sums[0] = sqrt(sum); } else { sums[p.first + group] = sum; }
}
