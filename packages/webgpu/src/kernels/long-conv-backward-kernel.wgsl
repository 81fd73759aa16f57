// use: index
// dkernel[d, j] = sum over b, t of dy[t] x[t - j]; that of the first tap is the gradient of the skip connection too.
// A thread is one tap of a channel and reads the whole of both sequences; neighbours are channels.
struct Params { batch: u32, length: u32, channels: u32, taps: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dkernel: array<f32>;
@group(0) @binding(3) var<storage, read_write> dskip: array<f32>;
@group(0) @binding(4) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) i: u32) {
  let thread = workgroupNumber(w, count) * 64u + i;
  let d = thread % p.channels;
  let j = thread / p.channels;
  if (j >= p.taps) { return; }
  var sum = 0.0;
  for (var b = 0u; b < p.batch; b++) {
    // Sums of a row each: rounding grows with the length of a sum.
    var row = 0.0;
    for (var t = j; t < p.length; t++) {
      row += dy[(b * p.length + t) * p.channels + d] * x[(b * p.length + t - j) * p.channels + d];
    }
    sum += row;
  }
  dkernel[d * p.taps + j] = sum;
  if (j == 0u) { dskip[d] = sum; }
}
