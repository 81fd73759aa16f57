// use: index numerics
// Depthwise causal convolution: y[t] = act(bias + sum_k weight[k] x[t - W + 1 + k]), inputs before the first token from the
// state, taps of another sequence as zeros. Also the last W - 1 inputs, the new state.
// SLOPE, for the gradient: dy silu'(...) instead, and no state.
// A thread is 4 consecutive tokens of one channel, so that each input is loaded about twice; neighbours are channels.
const W: u32 = 4u;
const SILU: bool = true;
const HAS_BIAS: bool = true;
const HAS_STATE: bool = false;
const HAS_SEQ: bool = false;
const SLOPE: bool = false;
struct Params { batch: u32, length: u32, channels: u32, tiles: u32, xOffset: u32, xStride: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> before: array<f32>;
@group(0) @binding(4) var<storage, read> seq: array<i32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<storage, read_write> last: array<f32>;
@group(0) @binding(7) var<storage, read> dy: array<f32>;
@group(0) @binding(8) var<uniform> p: Params;

// The input at `place` - (W - 1), as token `t` sees it.
fn tap(b: u32, place: u32, t: u32, d: u32) -> f32 {
  if (place >= W - 1u) {
    let at = place - (W - 1u);
    if (HAS_SEQ) { if (seq[b * p.length + at] != seq[b * p.length + t]) { return 0.0; } }
    return x[p.xOffset + (b * p.length + at) * p.xStride + d];
  }
  if (!HAS_STATE) { return 0.0; }
  if (HAS_SEQ) { if (seq[b * p.length] != seq[b * p.length + t]) { return 0.0; } }
  return before[(b * (W - 1u) + place) * p.channels + d];
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) n: vec3u, @builtin(local_invocation_index) i: u32) {
  let thread = workgroupNumber(w, n) * 256u + i;
  let d = thread % p.channels;
  let tile = thread / p.channels % p.tiles;
  let b = thread / p.channels / p.tiles;
  if (b >= p.batch) { return; }
  var sum = vec4f();
  if (HAS_BIAS) { sum = vec4f(bias[d]); }
  let t = tile * 4u;
  let t1 = min(t + 1u, p.length - 1u);
  let t2 = min(t + 2u, p.length - 1u);
  let t3 = min(t + 3u, p.length - 1u);
  for (var k = 0u; k < W; k++) {
    sum += weight[d * W + k] * vec4f(tap(b, t + k, t, d), tap(b, t1 + k, t1, d), tap(b, t2 + k, t2, d), tap(b, t3 + k, t3, d));
  }
  if (SLOPE) { sum = siluSlope(sum); } else if (SILU) { sum = silu(sum); }
  for (var j = 0u; j < 4u; j++) {
    let at = (b * p.length + t + j) * p.channels + d;
    if (t + j >= p.length) { break; }
    if (SLOPE) { y[at] = sum[j] * dy[at]; } else { y[at] = sum[j]; }
  }
  if (!SLOPE && tile == p.tiles - 1u) {
    for (var k = 0u; k + 1u < W; k++) {
      last[(b * (W - 1u) + k) * p.channels + d] = tap(b, p.length + k, p.length - 1u, d);
    }
  }
}
