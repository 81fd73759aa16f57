// use: index
// y[t] = sum_j kernel[j] x[t - j] + skip x[t]; or (BACK) its gradient dx[t] = sum_j kernel[j] dy[t + j] + skip dy[t].
// A thread is four consecutive tokens of a channel: a tap is loaded once for the four, and so is an input; neighbours are
// channels.
const BACK: bool = false;
const HAS_SKIP: bool = false;
struct Params { batch: u32, length: u32, channels: u32, taps: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> kernel: array<f32>;
@group(0) @binding(2) var<storage, read> skip: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> p: Params;

// The input `t` from the row's start on; outside it is zero.
fn input(b: u32, t: i32, d: u32) -> f32 {
  if (t < 0 || t >= i32(p.length)) { return 0.0; }
  return x[(b * p.length + u32(t)) * p.channels + d];
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) i: u32) {
  let thread = workgroupNumber(w, count) * 64u + i;
  let tiles = (p.length + 3u) / 4u;
  let d = thread % p.channels;
  let t = thread / p.channels % tiles * 4u;
  let b = thread / p.channels / tiles;
  if (b >= p.batch) { return; }
  // The inputs under the four tokens; each tap moves them by one.
  let first = i32(t);
  var window = vec4f(input(b, first, d), input(b, first + 1, d), input(b, first + 2, d), input(b, first + 3, d));
  var sum = vec4f();
  if (HAS_SKIP) { sum = skip[d] * window; }
  let reach = select(t + 4u, p.length - t, BACK);
  for (var j = 0u; j < min(p.taps, reach); j++) {
    sum += kernel[d * p.taps + j] * window;
    let next = i32(j) + 1;
    if (BACK) {
      window = vec4f(window.yzw, input(b, first + 3 + next, d));
    } else {
      window = vec4f(input(b, first - next, d), window.xyz);
    }
  }
  for (var j = 0u; j < 4u; j++) {
    if (t + j < p.length) { y[(b * p.length + t + j) * p.channels + d] = sum[j]; }
  }
}
